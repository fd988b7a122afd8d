//! Um contador certo, visto por uma multidão, e os defeitos que se plantam nele.

use cliente::auditoria::auditar;
use cliente::auditoria::regra::Aviso;
use cliente::auditoria::veredito::Estoque;
use cliente::conversa::desfecho::Desfecho::{self, Comprou, Estranho, Leu, Recusado};
use cliente::historia::vivido::{Conexao, Historia, Operacao};
use proptest::prelude::*;
use proptest::sample::Index;
use std::time::Duration;

use crate::exemplos::*;

/// Um pedido: quando parte, quando o contador age e quando a resposta chega, cada um depois do outro.
#[derive(Debug, Clone)]
struct Pedido {
    espera: u64,
    ate_agir: u64,
    ate_chegar: u64,
    que: Pede,
    reconecta: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pede {
    Consultar,
    Comprar,
    /// A resposta se perdeu: valeu, muito depois, ou não.
    SemResposta {
        valeu: bool,
    },
    /// A resposta não se entende: valeu ou não.
    Estranha {
        valeu: bool,
    },
}

/// O que vai acontecer, antes de acontecer.
#[derive(Debug, Clone)]
pub struct Plano {
    pub inicial: u64,
    usuarios: Vec<Vec<Pedido>>,
    /// Quando outros, fora da multidão, compram.
    por_fora: Vec<u64>,
    /// Quanto o AVISO demora até cada usuário; sempre menos que a tolerância.
    demoras: Vec<u64>,
}

/// Depois de tudo o que um plano faz.
const FIM: u64 = 1_000_000;

pub fn planos() -> impl Strategy<Value = Plano> {
    let que = prop_oneof![
        4 => Just(Pede::Consultar),
        5 => Just(Pede::Comprar),
        1 => any::<bool>().prop_map(|valeu| Pede::SemResposta { valeu }),
        1 => any::<bool>().prop_map(|valeu| Pede::Estranha { valeu }),
    ];
    let pedido = (0u64..700, 0u64..300, 0u64..300, que, prop::bool::weighted(0.2)).prop_map(
        |(espera, ate_agir, ate_chegar, que, reconecta)| Pedido {
            espera,
            ate_agir,
            ate_chegar,
            que,
            reconecta,
        },
    );
    let usuarios = prop::collection::vec(prop::collection::vec(pedido, 0..12), 1..6);
    (
        0u64..14,
        usuarios,
        prop::collection::vec(0u64..4000, 0..5),
        prop::collection::vec(0u64..1000, 8),
    )
        .prop_map(|(inicial, usuarios, por_fora, demoras)| Plano {
            inicial,
            usuarios,
            por_fora,
            demoras,
        })
}

impl Plano {
    pub fn sem_outros_compradores(mut self) -> Self {
        self.por_fora.clear();
        self
    }

    fn com_todas_as_respostas(mut self) -> Self {
        for pedido in self.usuarios.iter_mut().flatten() {
            if !matches!(pedido.que, Pede::Consultar) {
                pedido.que = Pede::Comprar;
            }
        }
        self.sem_outros_compradores()
    }

    /// Vive o plano com um contador certo. Com `ate_esgotar`, um vigia (o penúltimo) está lá do
    /// começo ao fim, e o último compra, depois de todos, o que restar, e lê o zero.
    pub fn viver(&self, ate_esgotar: bool) -> Vec<Historia> {
        let (mut historias, esgotou) = self.viver_sem_aviso(ate_esgotar);
        self.avisar(&mut historias, |_| esgotou);
        historias
    }

    /// O mesmo, sem AVISO algum; e quando o estoque acabou, se acabou.
    pub fn viver_sem_aviso(&self, ate_esgotar: bool) -> (Vec<Historia>, Option<u64>) {
        // Quem age quando: o usuário e a operação dele, ou alguém de fora.
        let mut age: Vec<(u64, Option<(usize, usize)>)> = Vec::new();
        let mut historias: Vec<Historia> = Vec::new();
        for (indice, pedidos) in self.usuarios.iter().enumerate() {
            historias.push(viver_sozinho(indice, pedidos, &mut age));
        }
        if ate_esgotar {
            let consultas = [(0, 1), (3, 4)].map(|(de, ate)| operacao(de, ate, Leu(0)));
            let mut vigia = historia(historias.len() + 1, consultas.to_vec(), &[]);
            vigia.conexoes[0].fechou = Some(ms(FIM));
            age.extend([(0, Some((historias.len(), 0))), (3, Some((historias.len(), 1)))]);
            historias.push(vigia);
        }
        age.extend(self.por_fora.iter().map(|quando| (*quando + 10, None)));
        age.sort_by_key(|(quando, _)| *quando);

        let mut contador = i128::from(self.inicial);
        let mut esgotou = None;
        let mut agora = 5000;
        for (quando, quem) in age {
            agora = agora.max(quando);
            let vende = match quem {
                None => true,
                Some((usuario, qual)) => {
                    let operacao = &mut historias[usuario].operacoes[qual];
                    let compra = operacao.compra;
                    if let Some((_, desfecho)) = &mut operacao.resposta {
                        match (compra, contador) {
                            _ if matches!(desfecho, Estranho(_)) => {}
                            (false, _) => *desfecho = Leu(contador),
                            (true, 0) => *desfecho = Recusado,
                            (true, _) => *desfecho = Comprou(contador - 1),
                        }
                    }
                    compra
                }
            };
            if vende && contador > 0 {
                contador -= 1;
                esgotou = esgotou.or((contador == 0).then_some(quando));
            }
        }
        if ate_esgotar {
            let mut ultimo = Vec::new();
            while contador > 0 {
                contador -= 1;
                agora += 10;
                esgotou = Some(agora);
                ultimo.push(operacao(agora - 1, agora + 1, Comprou(contador)));
            }
            ultimo.push(operacao(agora + 10, agora + 11, Leu(0)));
            historias.push(historia(historias.len() + 1, ultimo, &[]));
        }
        (historias, esgotou)
    }

    /// Avisa as conexões abertas em `sabe`, que é quando o servidor de cada uma sabe do esgotamento, se sabe.
    pub fn avisar(&self, historias: &mut [Historia], sabe: impl Fn(&Conexao) -> Option<u64>) {
        for (historia, demora) in historias.iter_mut().zip(&self.demoras) {
            for conexao in &mut historia.conexoes {
                let Some(esgotou) = sabe(conexao) else { continue };
                let chega = ms(esgotou + demora);
                let estava = conexao.conectou <= ms(esgotou);
                if estava && conexao.fechou.is_none_or(|fechou| fechou > chega) {
                    conexao.avisos.push(chega);
                }
            }
        }
    }
}

/// Um usuário é sequencial: um pedido só parte depois da resposta ao anterior.
fn viver_sozinho(
    indice: usize,
    pedidos: &[Pedido],
    age: &mut Vec<(u64, Option<(usize, usize)>)>,
) -> Historia {
    let mut agora = 10;
    let mut historia = Historia { usuario: indice + 1, ..Historia::default() };
    for pedido in pedidos {
        if pedido.reconecta || historia.conexoes.is_empty() {
            if let Some(conexao) = historia.conexoes.last_mut() {
                conexao.fechou = Some(ms(agora));
            }
            historia.conexoes.push(Conexao {
                numero: historia.conexoes.len() as u32 + 1,
                pediu: ms(agora),
                conectou: ms(agora + 1),
                ..Conexao::default()
            });
            agora += 1;
        }
        let enviada = agora + pedido.espera;
        let agiu = enviada + pedido.ate_agir;
        let chegou = agiu + pedido.ate_chegar;
        agora = chegou;
        let conexao = historia.conexoes.last_mut().unwrap();
        let qual = historia.operacoes.len();
        let (desfecho, valeu) = match pedido.que {
            // O contador dirá quanto.
            Pede::Consultar | Pede::Comprar => (Some(Leu(0)), Some(agiu)),
            Pede::SemResposta { valeu } => (None, valeu.then_some(agiu + pedido.ate_chegar * 5)),
            Pede::Estranha { valeu } => (Some(Estranho("?".into())), valeu.then_some(agiu)),
        };
        if desfecho.is_some() {
            conexao.respondida.get_or_insert(ms(chegou));
        }
        age.extend(valeu.map(|quando| (quando, Some((indice, qual)))));
        historia.operacoes.push(Operacao {
            conexao: conexao.numero,
            compra: !matches!(pedido.que, Pede::Consultar),
            enviada: ms(enviada),
            resposta: desfecho.map(|desfecho| (ms(chegou), desfecho)),
            ..Operacao::default()
        });
    }
    if let Some(conexao) = historia.conexoes.last_mut() {
        conexao.fechou = indice.is_multiple_of(2).then_some(ms(agora + 1500));
    }
    historia
}

/// Os defeitos que se plantam. Cada um se contradiz com certeza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defeito {
    UnidadeVendidaDeNovo,
    VendaDepoisDaRecusa,
    VendaNegativa,
    LeituraQueSobe,
    ConsultaVelha,
    UnidadePerdida,
    RecusaComEstoque,
    AvisoDuasVezes,
    AvisoQueNaoVeio,
    AvisoAQuemChegouDepois,
    AvisoAntesDaHora,
}

impl Defeito {
    pub const TODOS: [Defeito; 11] = [
        Defeito::UnidadeVendidaDeNovo,
        Defeito::VendaDepoisDaRecusa,
        Defeito::VendaNegativa,
        Defeito::LeituraQueSobe,
        Defeito::ConsultaVelha,
        Defeito::UnidadePerdida,
        Defeito::RecusaComEstoque,
        Defeito::AvisoDuasVezes,
        Defeito::AvisoQueNaoVeio,
        Defeito::AvisoAQuemChegouDepois,
        Defeito::AvisoAntesDaHora,
    ];

    /// A unidade que some e a recusa indevida só se afirmam quando a multidão compra sozinha.
    fn pede_o_estoque(self) -> bool {
        matches!(self, Defeito::UnidadePerdida | Defeito::RecusaComEstoque)
    }

    /// Os nomes das regras que podem acusá-lo.
    pub fn regras(self) -> &'static [&'static str] {
        match self {
            Defeito::UnidadeVendidaDeNovo => &["venda-repetida"],
            Defeito::VendaNegativa => &["estoque-negativo"],
            // Se a unidade já tinha dono, é a mesma contradição.
            Defeito::VendaDepoisDaRecusa => &["estoque-subiu", "venda-repetida"],
            Defeito::LeituraQueSobe | Defeito::ConsultaVelha => &["estoque-subiu"],
            Defeito::AvisoAntesDaHora => &["aviso-adiantado"],
            Defeito::UnidadePerdida => &["unidade-sumiu", "recusa-indevida"],
            Defeito::RecusaComEstoque => &["recusa-indevida"],
            Defeito::AvisoDuasVezes => &["aviso-repetido"],
            Defeito::AvisoQueNaoVeio => &["aviso-perdido"],
            Defeito::AvisoAQuemChegouDepois => &["aviso-a-quem-chegou-depois"],
        }
    }

    /// A história do plano, com este defeito.
    pub fn plantar(self, mut plano: Plano, sorteio: Index, quanto: u64) -> Vec<Historia> {
        plano.inicial += 1;
        if self.pede_o_estoque() {
            plano = plano.com_todas_as_respostas();
        }
        if self == Defeito::RecusaComEstoque {
            // Sempre sobra.
            plano.inicial += plano.usuarios.iter().flatten().count() as u64;
            let mut historias = plano.viver(false);
            let quando = sorteio.index(6000) as u64;
            historias.push(so(99, quando, quando + quanto, Recusado));
            return historias;
        }
        if self == Defeito::UnidadeVendidaDeNovo || self == Defeito::ConsultaVelha {
            // Ao menos uma venda que se vê: o último compra a última.
            plano.inicial += plano.usuarios.iter().flatten().count() as u64 + 5;
        }
        let mut historias = plano.viver(true);
        let sorteada = |quais: &dyn Fn(&Desfecho) -> bool| {
            let iguais: Vec<(u64, u64, Desfecho)> = historias
                .iter()
                .flat_map(|h| &h.operacoes)
                .filter_map(|o| Some((o.enviada, o.resposta.clone()?)))
                .filter(|(_, (_, desfecho))| quais(desfecho))
                .map(|(de, (ate, desfecho))| {
                    (de.as_millis() as u64, ate.as_millis() as u64, desfecho)
                })
                .collect();
            (!iguais.is_empty()).then(|| iguais[sorteio.index(iguais.len())].clone())
        };
        let venda = sorteada(&|desfecho| matches!(desfecho, Comprou(_)));
        let leu = |desfecho: &Desfecho| match desfecho {
            Leu(valor) | Comprou(valor) => *valor,
            _ => 0,
        };
        match self {
            Defeito::UnidadeVendidaDeNovo => {
                let (_, _, desfecho) = venda.expect("há venda");
                let quando = sorteio.index(9000) as u64;
                historias.push(so(99, quando, quando + quanto, desfecho));
            }
            Defeito::VendaDepoisDaRecusa => {
                historias.push(so(98, FIM, FIM + quanto, Recusado));
                let depois = FIM + quanto + 1;
                historias.push(so(99, depois, depois + quanto, Comprou(i128::from(quanto) % 5)));
            }
            Defeito::VendaNegativa => {
                let quando = sorteio.index(9000) as u64;
                let valor = -1 - i128::from(quanto) % 3;
                historias.push(so(99, quando, quando + quanto, Comprou(valor)));
            }
            Defeito::LeituraQueSobe => {
                let (_, fim, desfecho) =
                    sorteada(&|desfecho| !matches!(desfecho, Estranho(_))).expect("há leitura");
                let valor = leu(&desfecho) + 1 + i128::from(quanto) % 3;
                historias.push(so(99, fim + 1, fim + 1 + quanto, Leu(valor)));
            }
            Defeito::ConsultaVelha => {
                let (_, fim, desfecho) = venda.expect("há venda");
                historias.push(so(99, fim + 1, fim + 1 + quanto, Leu(leu(&desfecho) + 1)));
            }
            Defeito::UnidadePerdida => {
                let (enviada, _, desfecho) = venda.expect("há venda");
                let e_ela = |o: &Operacao| {
                    o.enviada == ms(enviada)
                        && o.resposta.as_ref().is_some_and(|(_, outro)| *outro == desfecho)
                };
                historias.iter_mut().for_each(|h| h.operacoes.retain(|o| !e_ela(o)));
            }
            Defeito::AvisoDuasVezes => {
                let conexoes = historias.iter_mut().flat_map(|h| &mut h.conexoes);
                let mut avisadas: Vec<&mut Conexao> =
                    conexoes.filter(|p| !p.avisos.is_empty()).collect();
                let qual = sorteio.index(avisadas.len());
                let de_novo = avisadas[qual].avisos[0] + ms(quanto);
                avisadas[qual].avisos.push(de_novo);
            }
            Defeito::AvisoQueNaoVeio => {
                let vigia = historias.len() - 2;
                assert_eq!(historias[vigia].conexoes[0].avisos.len(), 1);
                historias[vigia].conexoes[0].avisos.clear();
            }
            Defeito::AvisoAQuemChegouDepois => {
                // Todo esgotamento já foi visto antes de FIM - 1001.
                let mut depois = historia(99, vec![], &[FIM + quanto]);
                depois.conexoes[0].pediu = ms(FIM);
                historias.push(depois);
            }
            Defeito::AvisoAntesDaHora => {
                let (enviada, _, _) = venda.unwrap_or((3, 4, Leu(1)));
                historias.push(historia(99, vec![], &[enviada - 1 - quanto % 2]));
            }
            Defeito::RecusaComEstoque => unreachable!("já plantada"),
        }
        historias
    }

    pub fn inicial_de(self, plano: &Plano) -> Option<u64> {
        let pedidos = plano.usuarios.iter().flatten().count() as u64;
        match self {
            Defeito::UnidadePerdida => Some(plano.inicial + 1),
            Defeito::RecusaComEstoque => Some(plano.inicial + 1 + pedidos),
            _ => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn um_contador_certo_passa_com_so_esta_multidao(plano in planos(), ate_esgotar: bool) {
        let plano = plano.sem_outros_compradores();
        let historias = plano.viver(ate_esgotar);
        prop_assert_eq!(auditar(&historias, Some(plano.inicial)).violacoes, []);
        prop_assert_eq!(auditar(&historias, None).violacoes, []);
    }

    #[test]
    fn um_contador_certo_passa_com_outros_compradores(plano in planos(), ate_esgotar: bool) {
        prop_assert_eq!(auditar(&plano.viver(ate_esgotar), None).violacoes, []);
    }

    #[test]
    fn uma_historia_parcial_de_um_contador_certo_passa(plano in planos(), ate in 0u64..6000) {
        // A simulação parou: o que estava em curso ficou sem resposta, e o resto não aconteceu.
        let plano = plano.sem_outros_compradores();
        let mut historias = plano.viver(false);
        for historia in &mut historias {
            historia.operacoes.retain(|o| o.enviada <= ms(ate));
            for operacao in &mut historia.operacoes {
                operacao.resposta = operacao.resposta.take().filter(|(fim, _)| *fim <= ms(ate));
            }
            historia.conexoes.retain(|p| p.conectou <= ms(ate));
            for conexao in &mut historia.conexoes {
                conexao.fechou = Some(conexao.fechou.unwrap_or(ms(ate)).min(ms(ate)));
                conexao.respondida = conexao.respondida.filter(|fim| *fim <= ms(ate));
                conexao.avisos.retain(|aviso| *aviso <= ms(ate));
            }
        }
        prop_assert_eq!(auditar(&historias, Some(plano.inicial)).violacoes, []);
    }

    #[test]
    fn o_aviso_que_so_demora_nunca_e_perda_nem_acusa_o_estoque(
        plano in planos(),
        demora in 1600u64..1900,
    ) {
        let plano = plano.sem_outros_compradores();
        let mut historias = plano.viver(true);
        let pontual = auditar(&historias, None);
        for conexao in historias.iter_mut().flat_map(|historia| &mut historia.conexoes) {
            conexao.avisos.iter_mut().for_each(|aviso| *aviso += ms(demora));
            let fechou = conexao.fechou.unwrap_or(Duration::MAX);
            conexao.avisos.retain(|aviso| *aviso < fechou);
        }
        let veredito = auditar(&historias, None);
        let regras: Vec<&str> = veredito.violacoes.iter().map(|v| v.regra.nome()).collect();
        prop_assert!(regras.is_empty() || regras == ["aviso-atrasado"], "{:?}", regras);
        let viu_a_ultima = historias.iter().flat_map(|h| &h.operacoes).any(|o| {
            o.resposta.as_ref().is_some_and(|(_, desfecho)| *desfecho == Comprou(0))
        });
        if viu_a_ultima {
            prop_assert_eq!((pontual.aviso(), veredito.aviso()), (Aviso::Certo, Aviso::Atrasado));
        }
    }

    #[test]
    fn sem_venda_e_sem_recusa_que_se_entendam_nunca_se_diz_consistente(plano in planos()) {
        let mut historias = plano.viver(false);
        for operacao in historias.iter_mut().flat_map(|historia| &mut historia.operacoes) {
            if let Some((_, desfecho)) = operacao.resposta.as_mut().filter(|_| operacao.compra) {
                *desfecho = Estranho("Erro interno".into());
            }
        }
        prop_assert_eq!(auditar(&historias, None).estoque(), Estoque::SemVeredito);
    }

    #[test]
    fn um_defeito_plantado_sempre_aparece(
        plano in planos(),
        sorteio in any::<Index>(),
        quanto in 0u64..200,
    ) {
        for defeito in Defeito::TODOS {
            let estoque = defeito.inicial_de(&plano);
            let veredito = auditar(&defeito.plantar(plano.clone(), sorteio, quanto), estoque);
            let acusadas: Vec<&str> = veredito.violacoes.iter().map(|v| v.regra.nome()).collect();
            prop_assert!(
                acusadas.iter().any(|nome| defeito.regras().contains(nome)),
                "{:?}: {:?}", defeito, acusadas
            );
            // O defeito do AVISO não acusa o estoque, nem o do estoque o AVISO.
            let do_aviso = defeito.regras()[0].starts_with("aviso");
            let estoque = if do_aviso { Estoque::Consistente } else { Estoque::Inconsistente };
            let acusado = veredito.estoque();
            // Sem venda que se visse, não há veredito; mas também não há acusação.
            prop_assert!(acusado == estoque || acusado == Estoque::SemVeredito && do_aviso);
            // As provas são de quem estava lá, e em ordem de acontecer.
            prop_assert!(veredito.violacoes.is_sorted_by_key(|v| v.quando));
            prop_assert!(veredito.violacoes.iter().all(|v| (1..=2).contains(&v.provas.len())));
        }
    }
}
