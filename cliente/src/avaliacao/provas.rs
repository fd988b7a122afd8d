//! As provas: o que se tenta com o servidor, e o que se viu. Quantos pontos vale, não é daqui.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use protocolo::{Comando, Mensagem};

use super::alvo::{Alvo, Quem};
use super::costumes::Costumes;
use super::disputa::{Disputa, Plano, contradicoes, disputar};
use super::erro::Erro;
use super::evidencias::{
    Atras, Conversa, Evidencias, Provocacao, Rodada, demora_tipica, linhas_das_portas,
};
use super::servidor::{Ritmo, ServidorAvaliado};
use super::sonda::{Sonda, Troca};
use super::vez::{Vez, confirmar};
use crate::conversa::fim_de_linha::FimDeLinha;
use crate::opcoes::OpcoesDaAvaliacao;

/// Quantas provas há além das rodadas de disputa.
pub const OUTRAS_PROVAS: u64 = 5;

/// Quantas unidades se compram, por mais que o servidor diga ter.
const ESTOQUE_MAXIMO: u64 = 1000;

/// Quanto se espera, depois de uma provocação, que o servidor caia por causa dela.
const TEMPO_DE_CAIR: Duration = Duration::from_millis(200);

/// Depois da primeira resposta de cada tipo, quanto se espera para ver se o servidor fecha a conexão.
const VER_FECHAR: Duration = Duration::from_millis(100);

/// Quanto se gasta, no máximo, para reunir os compradores de uma disputa: de um servidor lento, são menos.
const TEMPO_DE_REUNIR: Duration = Duration::from_secs(20);

/// Depois deste tempo em disputas, não começa outra.
const TEMPO_DAS_DISPUTAS: Duration = Duration::from_secs(180);

/// Quantos clientes fazem cada provocação.
const PROVOCADORES: u32 = 20;

/// O que o servidor diz a quem compra sem estoque, se não são palavras que se entendam. Só de quem antes vendeu
/// tudo: de quem responde sempre o mesmo, nada se aprende.
fn recusa_propria(compras: &[Troca], recusas: &[Troca]) -> Option<String> {
    let [recusa] = recusas else { return None };
    let vendeu_tudo = !compras.is_empty() && compras.iter().all(Troca::vendeu);
    recusa.resposta.clone().filter(|_| vendeu_tudo && !recusa.se_entende())
}

/// Há quem diga a quem compra um número errado e venda certo: o de antes da venda, ou quantas já vendeu. A um
/// cliente sozinho, isso é um erro de texto, e não falta de um Lock; para ainda julgar as disputas, cada número
/// se troca pelo que queria dizer. Só se a conversa toda o permite: tudo vendido, cada número uma vez, e nenhum
/// abaixo de zero, que o §7.2 proíbe pelo nome.
fn numeros_trocados(
    inicial: i128,
    consultas: &[Troca],
    compras: &[Troca],
    recusas: &[Troca],
) -> BTreeMap<i128, i128> {
    let vendida = |troca: &Troca| match troca.entendida() {
        Some(Mensagem::Compra { restante }) => Some(restante).filter(|dito| *dito >= 0),
        _ => None,
    };
    let ditos: Option<Vec<i128>> = compras.iter().map(vendida).collect();
    let acabou = recusas.iter().all(|troca| troca.entendida() == Some(Mensagem::Esgotado))
        && consultas.last().and_then(Troca::entendida) == Some(Mensagem::Estoque(0));
    let ditos = ditos.filter(|ditos| acabou && ditos.len() as i128 == inicial).unwrap_or_default();
    let certos = (0..inicial).rev();
    let trocados: BTreeMap<i128, i128> = ditos.into_iter().zip(certos).collect();
    // Um número dito duas vezes não se sabe qual das duas queria dizer.
    if trocados.len() as i128 == inicial { trocados } else { BTreeMap::new() }
}

/// Abre o servidor pela primeira vez: acha o endereço em que ele atende, e o que ele espera depois de um
/// comando, que é o primeiro fim de linha com que ele entende CONSULTAR; na dúvida, LF.
///
/// # Errors
///
/// O servidor não abriu.
pub fn inaugurar(alvo: &mut Alvo) -> Result<FimDeLinha, Erro> {
    let _servidor = ServidorAvaliado::inaugurar(alvo)?;
    let mut mudo = true;
    for fim_de_linha in FimDeLinha::TENTADOS {
        // A recusa de um fim de linha não ensina nada sobre os outros.
        let tentativa = Alvo { fim_de_linha, estilo: Arc::default(), ..alvo.clone() };
        let Ok(mut sonda) = Sonda::conectar(&tentativa) else { continue };
        match sonda.pede(Comando::Consultar) {
            Some(Mensagem::Estoque(_)) => return Ok(fim_de_linha),
            resposta => mudo &= resposta.is_none(),
        }
    }
    if mudo {
        esperar_o_lento(alvo);
    }
    Ok(FimDeLinha::Lf)
}

/// Quem não disse nada pode ser só muito lento: pede-se mais uma vez, com toda a paciência, e se aprende
/// quanto ele demora.
fn esperar_o_lento(alvo: &Alvo) {
    let costumes = Arc::new(Costumes::paciente());
    let paciente = Alvo { costumes, ..alvo.clone() };
    let Ok(mut sonda) = Sonda::conectar(&paciente) else { return };
    if sonda.pede(Comando::Consultar).is_some() {
        sonda.trocas.iter().for_each(|troca| alvo.costumes.levou(troca.demora));
    }
}

/// Onde as provas acontecem.
#[derive(Clone, Copy)]
pub struct Provas<'a> {
    /// O servidor.
    pub alvo: &'a Alvo,
    /// O que se pediu.
    pub opcoes: &'a OpcoesDaAvaliacao,
    /// O andamento.
    pub barra: &'a ProgressBar,
    /// A vez de ficar sozinho, se há vizinhos.
    pub vez: Option<&'a Vez>,
}

impl<'a> Provas<'a> {
    /// Faz todas as provas, as que podem derrubar o servidor por último.
    ///
    /// # Errors
    ///
    /// O servidor deixou de abrir, ou a avaliação foi interrompida.
    pub fn reunir(self) -> Result<Evidencias, Erro> {
        let mut vistas = Evidencias::default();
        self.anuncia("uma conversa calma");
        vistas.conversa = self.confirmar(Conversa::pode_ser_demora, Self::conversar)?;
        self.anuncia("um cliente calado");
        (vistas.atras_do_calado, vistas.extravio) =
            self.confirmar(|(atras, _)| atras.pode_ser_demora(), Self::atras_do_calado)?;
        vistas.atras_da_metade = self.confirmar(Atras::pode_ser_demora, Self::atras_da_metade)?;
        self.disputas(&mut vistas)?;
        for provocacao in [Provocacao::Resets, Provocacao::Metades, Provocacao::Lixo] {
            self.anuncia("clientes que fazem o que não devem");
            let gasto = &mut vistas.gasto_em_sossego;
            let anteriores = &vistas.robustez;
            let deixou = self.confirmar(
                |queda: &Option<Queda>| calou_e_custa(queda.as_ref(), anteriores),
                |provas| provas.provocar(provocacao, gasto),
            )?;
            vistas.robustez.push((provocacao, deixou.map(Queda::porque)));
        }
        Ok(vistas)
    }

    /// Faz uma prova, e a [confirma](confirmar) se alguma coisa que custa pontos pode ter sido só demora.
    fn confirmar<T>(
        self,
        pode_ser_demora: impl Fn(&T) -> bool,
        mut prova: impl FnMut(Self) -> Result<T, Erro>,
    ) -> Result<T, Erro> {
        let duvidosa = |vista: &Result<T, Erro>| match vista {
            Ok(vista) => pode_ser_demora(vista),
            Err(erro) => erro.do_servidor(),
        };
        confirmar(self.vez, duvidosa, |vez| prova(Provas { vez, ..self }))
    }

    /// As disputas, todas. O tempo que se espera pela vez não é do servidor.
    fn disputas(self, vistas: &mut Evidencias) -> Result<(), Erro> {
        let esperou = || self.vez.map_or(Duration::ZERO, Vez::esperou);
        let antes = esperou();
        let rodadas = if self.no_ar() { 1 } else { self.opcoes.medida.rodadas };
        let limite = self.alvo.inicio.elapsed() + TEMPO_DAS_DISPUTAS;
        for rodada in 0..rodadas {
            self.anuncia("todos compram ao mesmo tempo");
            // Cada ritmo acha servidores que o outro deixa passar.
            let ritmo = if rodada % 2 == 0 { Ritmo::Normal } else { Ritmo::Apressado };
            let menos = vistas.rodadas.iter().map(|rodada| rodada.atendidos).min();
            let disputa = self.confirmar(
                |vista: &Disputa| reuniu_menos(&vista.rodada, menos),
                |provas| provas.disputar(ritmo, rodada == 0, vistas),
            )?;
            self.anotar(disputa, rodada == 0, vistas);
            // Quem atende um por vez nunca terá uma disputa, e quem é muito lento não a teria a tempo.
            let basta = vistas.rodadas.iter().any(|rodada| rodada.compradores < 2);
            if basta || self.alvo.inicio.elapsed() > limite + (esperou() - antes) {
                break;
            }
        }
        Ok(())
    }

    fn anuncia(self, prova: &'static str) {
        self.barra.set_message(prova);
        self.barra.inc(1);
        self.barra.tick();
    }

    fn no_ar(self) -> bool {
        matches!(self.alvo.quem, Quem::NoAr)
    }

    fn abrir(self, ritmo: Ritmo) -> Result<(ServidorAvaliado, Sonda<'a>), Erro> {
        if self.alvo.parada.pedida() {
            return Err(Erro::Interrompido);
        }
        ServidorAvaliado::abrir(self.alvo, ritmo)
    }

    /// Um só cliente, um comando por vez. De um servidor que já estava no ar não se gasta o estoque.
    fn conversar(self) -> Result<Conversa, Erro> {
        let _acompanhado = self.vez.map(Vez::acompanhado);
        let (servidor, mut sonda) = self.abrir(Ritmo::Normal)?;
        sonda.volta = true;
        let mut fecha_depois_de = Vec::new();
        let mut primeira_vez = |sonda: &mut Sonda<'_>, pedido, comando| {
            let resposta = sonda.pede(comando);
            if resposta.is_some() && sonda.espera_fechar(VER_FECHAR) {
                self.alvo.costumes.viu_fechar();
                fecha_depois_de.push(pedido);
            }
            resposta
        };
        // Uma saudação sem fim de linha se colaria à primeira resposta.
        sonda.espera_fechar(VER_FECHAR);
        let consultada = primeira_vez(&mut sonda, "CONSULTAR", Comando::Consultar);
        let inicial = match consultada {
            Some(Mensagem::Estoque(inicial)) => Some(inicial),
            _ => None,
        };
        let estoque = inicial.and_then(|n| u64::try_from(n).ok());
        let ha = estoque.unwrap_or(self.opcoes.medida.estoque);
        if !self.no_ar() && consultada.is_some() {
            if ha > 0 {
                primeira_vez(&mut sonda, "COMPRAR", Comando::Comprar);
            }
            for _ in 1..ha.min(ESTOQUE_MAXIMO) {
                sonda.pede(Comando::Comprar);
            }
            // O AVISO acaba de chegar antes, para não se colar à recusa.
            sonda.espera_fechar(VER_FECHAR);
            if primeira_vez(&mut sonda, "COMPRAR sem estoque", Comando::Comprar).is_none() {
                self.alvo.costumes.viu_calar_na_recusa();
            }
            sonda.pede(Comando::Consultar);
        }
        Ok(self.concluir_a_conversa(&servidor, sonda, inicial, fecha_depois_de))
    }

    /// O que a conversa mostrou.
    fn concluir_a_conversa(
        self,
        servidor: &ServidorAvaliado,
        sonda: Sonda<'_>,
        inicial: Option<i128>,
        fecha_depois_de: Vec<&'static str>,
    ) -> Conversa {
        let (consultas, mut compras): (Vec<Troca>, Vec<Troca>) =
            sonda.trocas.iter().cloned().partition(|troca| troca.comando == Comando::Consultar);
        let demoras = [&consultas, &compras].map(|trocas| demora_tipica(trocas));
        demoras.into_iter().flatten().for_each(|demora| self.alvo.costumes.levou(demora));
        let recusas = compras.split_off(compras.len().saturating_sub(1));
        let sobras = sonda.sobras > 0;
        let portas = sonda.portas().to_vec();
        let console = console_com(servidor, &portas, sonda.trocas.len());
        let estoque = inicial.and_then(|n| u64::try_from(n).ok());
        let contradicao = contradicoes(vec![sonda.historia(1)], estoque).into_iter().next();
        let contradita = inicial.filter(|_| contradicao.is_some());
        let numeros = contradita
            .map(|inicial| numeros_trocados(inicial, &consultas, &compras, &recusas))
            .unwrap_or_default();
        Conversa {
            recusa: recusa_propria(&compras, &recusas),
            sobras,
            numeros,
            inicial,
            consultas,
            compras,
            recusas,
            contradicao,
            fecha_depois_de,
            portas,
            console,
        }
    }

    /// Um cliente conecta e se cala; outro consulta. Depois consulta também o primeiro, e se vê se a resposta
    /// dele não vai para o segundo.
    fn atras_do_calado(self) -> Result<(Atras, bool), Erro> {
        let _acompanhado = self.vez.map(Vez::acompanhado);
        let (_servidor, mut calado) = self.abrir(Ritmo::Normal)?;
        let Ok(mut outro) = Sonda::conectar(self.alvo) else {
            return Ok((Atras::Bloqueado, false));
        };
        let Some(troca) = consulta(&mut outro) else { return Ok((Atras::Bloqueado, false)) };
        if calado.espera_fechar(VER_FECHAR) {
            return Ok((Atras::SemNinguemNaFrente, false));
        }
        let extravio = !outro.fechada()
            && consulta(&mut calado).is_none()
            && outro.esta_dessincronizada(VER_FECHAR);
        Ok((Atras::Respondido(troca), extravio))
    }

    /// Um cliente manda meio comando e para; outro consulta. O primeiro pode já ter tido resposta, e a
    /// conexão fechada.
    fn atras_da_metade(self) -> Result<Atras, Erro> {
        let _acompanhado = self.vez.map(Vez::acompanhado);
        let (_servidor, metade) = self.abrir(Ritmo::Normal)?;
        metade.manda(b"CONSU");
        let Ok(mut outro) = Sonda::conectar(self.alvo) else { return Ok(Atras::Bloqueado) };
        Ok(consulta(&mut outro).map_or(Atras::Bloqueado, Atras::Respondido))
    }

    /// Uma disputa, com um servidor recém-aberto. Só a primeira fica para ouvir o AVISO.
    fn disputar(
        self,
        ritmo: Ritmo,
        primeira: bool,
        vistas: &mut Evidencias,
    ) -> Result<Disputa, Erro> {
        let acompanhado = self.vez.map(Vez::acompanhado);
        let (mut servidor, primeiro) = self.abrir(ritmo)?;
        vistas.apressado |= servidor.apressado();
        // Com quanto abriu, só se sabe de quem abrimos: no ar, outros podem ter comprado.
        let lido = vistas.conversa.inicial.and_then(|n| u64::try_from(n).ok());
        let plano = Plano {
            compradores: self.quantos_cabem(),
            atende_varios: matches!(vistas.atras_do_calado, Atras::Respondido(_)),
            ha: lido.unwrap_or(self.opcoes.medida.estoque).min(ESTOQUE_MAXIMO),
            lido,
            estoque: lido.filter(|_| !self.no_ar()),
            ouvir: primeira,
            numeros: &vistas.conversa.numeros,
            recusa: vistas.conversa.recusa.as_deref(),
            sobras: vistas.conversa.sobras,
            vez: self.vez,
        };
        let disputa = disputar(self.alvo, primeiro, plano, acompanhado)?;
        vistas.em_segundo_plano |= servidor.em_segundo_plano();
        Ok(disputa)
    }

    /// O que uma disputa deixa para os pontos.
    fn anotar(self, disputa: Disputa, primeira: bool, vistas: &mut Evidencias) {
        let Disputa { rodada, aviso, compras } = disputa;
        vistas.rodadas.push(rodada);
        if primeira {
            vistas.aviso = aviso;
        }
        if self.no_ar() {
            (vistas.conversa.compras, vistas.conversa.recusas) =
                compras.into_iter().partition(Troca::vendeu);
        }
    }

    /// Quantos compradores uma disputa reúne: de um servidor lento, os que cabem no tempo dela.
    fn quantos_cabem(self) -> usize {
        let demora = self.alvo.costumes.demora().as_secs_f64();
        let cabem = (TEMPO_DE_REUNIR.as_secs_f64() / demora) as usize;
        cabem.max(2).min(self.opcoes.medida.compradores)
    }

    /// Faz a provocação, e confere que quem estava conectado e quem chega continuam sendo atendidos: o que deu
    /// errado, se deu.
    /// Depois, com todos fora, olha quanto o servidor gasta parado.
    fn provocar(
        self,
        provocacao: Provocacao,
        gasto: &mut Option<f64>,
    ) -> Result<Option<Queda>, Erro> {
        let _acompanhado = self.vez.map(Vez::acompanhado);
        self.alvo.costumes.abandonaram(0);
        let (mut servidor, mut testemunha) = match self.abrir(Ritmo::Normal) {
            Ok(aberta) => aberta,
            // No ar, ninguém o reabre: se caiu, foi na provocação anterior.
            Err(porque) if self.no_ar() => return Ok(Some(Queda::Terminou(porque.to_string()))),
            Err(porque) => return Err(porque),
        };
        let antes = testemunha.pede(Comando::Consultar).is_some();
        for vez in 0..PROVOCADORES as usize {
            if let Ok(sonda) = Sonda::conectar(self.alvo) {
                provocacao.fazer(vez, sonda);
            }
        }
        // Cada um deixa um pedido na fila, ou vários, se o servidor lê em pedaços o que não entende.
        self.alvo.costumes.abandonaram(2 * PROVOCADORES);
        self.alvo.parada.dormir(TEMPO_DE_CAIR);
        if !servidor.vivo() {
            return Ok(Some(Queda::de(&mut servidor, "o servidor terminou")));
        }
        // Também o AVISO: quem avisa os que já se foram não pode deixar os outros sem atendimento.
        if !self.no_ar() {
            testemunha.compra_tudo(self.opcoes.medida.estoque + 1);
        }
        if antes && testemunha.pede(Comando::Consultar).is_none() {
            let deixou = "quem já estava conectado deixou de ser atendido";
            return Ok(Some(Queda::de(&mut servidor, deixou)));
        }
        drop(testemunha);
        let cala = self.alvo.costumes.cala_na_recusa();
        let pedido = if cala { Comando::Consultar } else { Comando::Comprar };
        let atendido = Sonda::conectar(self.alvo).is_ok_and(|mut novo| novo.pede(pedido).is_some());
        if !atendido || !servidor.vivo() {
            return Ok(Some(Queda::de(&mut servidor, "quem chegou depois não foi atendido")));
        }
        let antes = gasto.take().into_iter();
        *gasto = antes.chain(servidor.gasto_em_sossego(self.alvo)).reduce(f64::max);
        Ok(None)
    }
}

/// Faltou alguém a esta disputa, e isso custa pontos? Vale aquela em que se atenderam `menos`: outra que não é pior nada
/// custa a mais. As compras, que se fazem sem vizinhos, já são certas.
fn reuniu_menos(rodada: &Rodada, menos: Option<usize>) -> bool {
    rodada.atendidos < menos.unwrap_or(rodada.convidados)
}

/// O servidor calou-se, e isso custa pontos? Quem já não sobreviveu a outra provocação perdeu o item inteiro.
fn calou_e_custa(queda: Option<&Queda>, anteriores: &[(Provocacao, Option<String>)]) -> bool {
    let perdeu = anteriores.iter().any(|(_, deixou)| deixou.is_some());
    !perdeu && matches!(queda, Some(Queda::Calou(_)))
}

/// Como um servidor deixou de atender depois de uma provocação, e por quê.
enum Queda {
    /// O processo acabou: isso não é demora.
    Terminou(String),
    /// Está vivo, e não respondeu a tempo.
    Calou(String),
}

impl Queda {
    fn de(servidor: &mut ServidorAvaliado, deixou: &str) -> Self {
        let porque = format!("{deixou}{}", servidor.causa());
        if servidor.vivo() { Queda::Calou(porque) } else { Queda::Terminou(porque) }
    }

    fn porque(self) -> String {
        let (Queda::Terminou(porque) | Queda::Calou(porque)) = self;
        porque
    }
}

impl Provocacao {
    fn fazer(self, vez: usize, sonda: Sonda<'_>) {
        match self {
            Provocacao::Resets => {
                let antes: [&[u8]; 4] = [b"", b"COMP", b"CONSULTAR", b"CONSULTAR\n"];
                sonda.manda(antes[vez % antes.len()]);
                sonda.reseta();
            }
            Provocacao::Metades => {
                sonda.manda(b"CONSUL");
                sonda.desiste();
            }
            Provocacao::Lixo => {
                let lixo: [&[u8]; 4] = [b"\xff\xfe\x00\x80\n", b"\n", b"VENDER\n", &[b'x'; 5000]];
                sonda.manda(lixo[vez % lixo.len()]);
                sonda.desiste();
            }
        }
    }
}

/// Consulta; se não teve resposta, `None`.
fn consulta(sonda: &mut Sonda<'_>) -> Option<Troca> {
    sonda.pede(Comando::Consultar);
    sonda.trocas.pop().filter(|troca| troca.resposta.is_some())
}

/// O console, depois que as linhas deste cliente chegaram a ele, ou que se cansou de esperar.
fn console_com(servidor: &ServidorAvaliado, portas: &[u16], linhas: usize) -> Option<String> {
    for _ in 0..50 {
        let console = servidor.console()?;
        if linhas_das_portas(&console, portas).count() >= linhas {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    servidor.console()
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::pontos::exemplos::provocacoes;

    fn trocas(comando: &Comando, textos: &[&str]) -> Vec<Troca> {
        let troca = |texto: &&str| Troca {
            comando: comando.clone(),
            resposta: Some((*texto).to_owned()),
            demora: Duration::ZERO,
        };
        textos.iter().map(troca).collect()
    }

    fn trocados(ditos: &[i128], recusa: &str, fim: &str) -> Vec<(i128, i128)> {
        let consultas = trocas(&Comando::Consultar, &["Estoque atual: 3", fim]);
        let textos: Vec<String> =
            ditos.iter().map(|n| format!("Compra realizada. Estoque restante: {n}")).collect();
        let textos: Vec<&str> = textos.iter().map(String::as_str).collect();
        let compras = trocas(&Comando::Comprar, &textos);
        let recusas = trocas(&Comando::Comprar, &[recusa]);
        numeros_trocados(3, &consultas, &compras, &recusas).into_iter().collect()
    }

    #[test]
    fn o_numero_errado_e_sempre_o_mesmo_troca_se_pelo_que_queria_dizer() {
        let (esgotado, zero) = ("ERRO: Produto esgotado", "Estoque atual: 0");
        assert_eq!(trocados(&[3, 2, 1], esgotado, zero), [(1, 0), (2, 1), (3, 2)]);
        assert_eq!(trocados(&[1, 2, 3], esgotado, zero), [(1, 2), (2, 1), (3, 0)]);
        for ditos in [&[2, 2, 1][..], &[3, 2], &[1, 0, -1]] {
            assert_eq!(trocados(ditos, esgotado, zero), [], "{ditos:?}");
        }
        assert_eq!(trocados(&[3, 2, 1], "Compra realizada. Estoque restante: 0", zero), []);
        assert_eq!(trocados(&[3, 2, 1], esgotado, "Estoque atual: 1"), []);
    }

    #[test]
    fn so_se_confirma_a_disputa_que_custa_mais_que_as_outras() {
        let com = |atendidos| Rodada { convidados: 50, atendidos, ..Rodada::default() };
        assert!(!reuniu_menos(&com(50), None));
        assert!(reuniu_menos(&com(49), None));
        assert!(!reuniu_menos(&com(49), Some(49)));
        assert!(reuniu_menos(&com(48), Some(49)));
    }

    #[test]
    fn so_se_confirma_o_silencio_e_so_enquanto_custa() {
        let [terminou, calou] = [Queda::Terminou, Queda::Calou].map(|queda| queda(String::new()));
        assert!(calou_e_custa(Some(&calou), &provocacoes([true; 3])));
        assert!(!calou_e_custa(Some(&calou), &provocacoes([true, false, true])), "já perdeu");
        assert!(!calou_e_custa(Some(&terminou), &[]), "um processo que acabou não demora");
        assert!(!calou_e_custa(None, &[]));
    }

    #[test]
    fn um_soluco_nao_muda_a_demora_tipica() {
        let mut trocas = trocas(&Comando::Comprar, &["a", "b", "c"]);
        trocas[1].demora = Duration::from_secs(2);
        assert_eq!(demora_tipica(&trocas), Some(Duration::ZERO));
        trocas.iter_mut().for_each(|troca| troca.resposta = None);
        assert_eq!(demora_tipica(&trocas), None);
    }
}
