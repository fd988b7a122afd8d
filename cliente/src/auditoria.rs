//! A auditoria: o servidor vendeu direito? Uma função pura sobre as histórias.
//!
//! Um estoque certo só desce, uma unidade por vez, e cada unidade tem um só comprador. Toda resposta
//! é uma *leitura* desse contador em algum instante entre o envio do pedido e a chegada da resposta:
//! CONSULTAR lê o que há, uma venda lê o que restou, "esgotado" e AVISO leem zero. Daí as regras:
//!
//! 1. nenhuma leitura é negativa;
//! 2. duas vendas nunca leem o mesmo restante: seria a mesma unidade vendida duas vezes;
//! 3. se uma leitura terminou antes de outra começar, a segunda não pode ver mais que a primeira
//!    (uma venda, nem o mesmo): o contador teria subido;
//! 4. o AVISO chega uma vez, e só uma, a cada conexão que estava aberta no esgotamento (§7.3), e não
//!    a quem conectou depois. A ordem entre ele e a resposta do comprador não é conferida: o
//!    enunciado não a pede.
//!
//! As três primeiras são a linearizabilidade inteira, porque o contador só desce: o valor de cada
//! leitura já diz o lugar dela na única ordem possível (a venda que deixou v, as leituras de v, a
//! venda que deixou v-1...). Uma ordem assim cabe nos intervalos se, e só se, nenhuma operação que a
//! ordem põe antes começou depois de terminar uma que ela põe depois; e isso é a regra 3. Uma venda
//! que a multidão não viu não tem intervalo, e por isso não muda a conta.
//!
//! O que a multidão não pode afirmar fica como observação, não como acusação: uma unidade que
//! ninguém aqui comprou pode ter ido a outro comprador, e uma compra sem resposta pode ter sido
//! feita ou não.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use protocolo::terminal::contar;

use crate::historia::{Desfecho, Historia, Operacao, Presenca};

/// Quem continuou conectado por este tempo depois do esgotamento deveria ter ouvido o AVISO. É
/// folgado de propósito: o AVISO leva milissegundos, e uma acusação falsa é pior que um atraso.
const TOLERANCIA_DO_AVISO: Duration = Duration::from_secs(1);

/// A conclusão da auditoria. `Display` dá as observações e, por último, a linha do veredito.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parecer {
    /// O que está errado, o primeiro a acontecer antes.
    pub violacoes: Vec<Violacao>,
    /// O que vale dizer e não é erro.
    pub observacoes: Vec<String>,
}

/// Algo que nenhum servidor certo faria.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violacao {
    /// Quando a contradição ficou completa, desde o começo da simulação.
    pub quando: Duration,
    /// O que, quem e quando, por extenso.
    pub texto: String,
}

impl Parecer {
    /// Nada de errado?
    pub fn consistente(&self) -> bool {
        self.violacoes.is_empty()
    }
}

impl fmt::Display for Parecer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for observacao in &self.observacoes {
            writeln!(f, "Observação: {observacao}")?;
        }
        match self.violacoes.as_slice() {
            [] => writeln!(f, "Veredito: CONSISTENTE"),
            [primeira] => writeln!(f, "Veredito: INCONSISTENTE: {}", primeira.texto),
            [primeira, resto @ ..] => writeln!(
                f,
                "Veredito: INCONSISTENTE: {} (e mais {})",
                primeira.texto,
                contar(resto.len(), "contradição", "contradições")
            ),
        }
    }
}

/// Confere as histórias de uma simulação.
pub fn auditar(historias: &[Historia]) -> Parecer {
    let leituras = reunir_leituras(historias);
    let mut violacoes = Vec::new();
    negativas(&leituras, &mut violacoes);
    vendas_repetidas(&leituras, &mut violacoes);
    subidas(&leituras, &mut violacoes);
    avisos(historias, &leituras, &mut violacoes);
    violacoes.sort_unstable();
    Parecer { violacoes, observacoes: observar(historias, &leituras) }
}

/// O contador, visto por alguém em algum instante de `[inicio, fim]`.
#[derive(Debug, Clone, Copy)]
struct Leitura {
    usuario: usize,
    inicio: Duration,
    fim: Duration,
    que: Que,
    valor: i128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Que {
    Consulta,
    Venda,
    Recusa,
    Aviso,
}

impl Leitura {
    /// O contador imediatamente antes: uma venda o fez descer um.
    fn antes(&self) -> i128 {
        self.valor.saturating_add(i128::from(self.que == Que::Venda))
    }
}

impl fmt::Display for Leitura {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leitura { usuario, valor, fim, .. } = self;
        let quando = segundos(*fim);
        match self.que {
            Que::Consulta => write!(f, "o usuário {usuario} consultou e leu {valor} aos {quando}"),
            Que::Venda => {
                write!(f, "o usuário {usuario} comprou e restaram {valor} aos {quando}")
            }
            Que::Recusa => write!(f, "o usuário {usuario} ouviu que esgotou aos {quando}"),
            Que::Aviso => write!(f, "o usuário {usuario} recebeu o AVISO aos {quando}"),
        }
    }
}

fn segundos(instante: Duration) -> String {
    format!("{:.6} s", instante.as_secs_f64()).replace('.', ",")
}

fn reunir_leituras(historias: &[Historia]) -> Vec<Leitura> {
    let mut leituras = Vec::new();
    for historia in historias {
        let usuario = historia.usuario;
        for operacao in &historia.operacoes {
            let Some((fim, desfecho)) = &operacao.resposta else { continue };
            let (que, valor) = match desfecho {
                Desfecho::Leu(valor) => (Que::Consulta, *valor),
                Desfecho::Comprou(restante) => (Que::Venda, *restante),
                Desfecho::Recusado => (Que::Recusa, 0),
                Desfecho::Estranho(_) => continue,
            };
            leituras.push(Leitura { usuario, inicio: operacao.enviada, fim: *fim, que, valor });
        }
        for aviso in historia.presencas.iter().flat_map(|presenca| &presenca.avisos) {
            // Ninguém pediu o AVISO: só se sabe que o estoque era zero quando ele chegou, ou antes.
            leituras.push(Leitura {
                usuario,
                inicio: Duration::ZERO,
                fim: *aviso,
                que: Que::Aviso,
                valor: 0,
            });
        }
    }
    leituras
}

/// Uma venda abaixo de zero é uma contradição; as consultas que depois leem o negativo são só o eco
/// dela, e contam apenas se a multidão não viu venda nenhuma assim.
fn negativas(leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let (vendas, consultas): (Vec<&Leitura>, Vec<&Leitura>) =
        leituras.iter().filter(|l| l.valor < 0).partition(|l| l.que == Que::Venda);
    let eco = consultas.into_iter().min_by_key(|l| l.fim).filter(|_| vendas.is_empty());
    for leitura in vendas.into_iter().chain(eco) {
        violacoes
            .push(Violacao { quando: leitura.fim, texto: format!("estoque negativo: {leitura}") });
    }
}

fn vendas_repetidas(leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let mut vendas: Vec<&Leitura> = leituras.iter().filter(|l| l.que == Que::Venda).collect();
    vendas.sort_unstable_by_key(|venda| (venda.valor, venda.fim));
    for par in vendas.windows(2).filter(|par| par[0].valor == par[1].valor) {
        violacoes.push(Violacao {
            quando: par[1].fim,
            texto: format!("a mesma unidade vendida duas vezes: {}, e {}", par[0], par[1]),
        });
    }
}

/// Regra 3, em uma varredura: para cada leitura, a menor entre as que terminaram antes de ela
/// começar. Duas vendas da mesma unidade já foram contadas; e "esgotado" diz só que não há mais, e
/// por isso nunca vê demais.
fn subidas(leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let ve_o_numero = |leitura: &&Leitura| matches!(leitura.que, Que::Consulta | Que::Venda);
    let mut por_inicio: Vec<&Leitura> = leituras.iter().filter(ve_o_numero).collect();
    por_inicio.sort_unstable_by_key(|leitura| leitura.inicio);
    let mut por_fim: Vec<&Leitura> = leituras.iter().collect();
    por_fim.sort_unstable_by_key(|leitura| leitura.fim);
    let mut terminadas = por_fim.into_iter().peekable();
    let mut menor: Option<&Leitura> = None;
    for leitura in por_inicio {
        while let Some(terminada) = terminadas.next_if(|l| l.fim < leitura.inicio) {
            if menor.is_none_or(|menor| terminada.valor < menor.valor) {
                menor = Some(terminada);
            }
        }
        let Some(menor) = menor.filter(|menor| leitura.antes() > menor.valor) else { continue };
        if (leitura.que, leitura.valor) == (menor.que, menor.valor) && menor.que == Que::Venda {
            continue;
        }
        violacoes.push(Violacao {
            quando: leitura.fim,
            texto: format!("o estoque subiu: {leitura}, mas antes disso {menor}"),
        });
    }
}

/// Regra 4.
fn avisos(historias: &[Historia], leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let ultimas = leituras.iter().filter(|l| l.que == Que::Venda && l.valor == 0);
    let ultima = ultimas.min_by_key(|l| l.fim);
    for historia in historias {
        for (indice, presenca) in historia.presencas.iter().enumerate() {
            violacoes.extend(aviso_repetido(historia.usuario, presenca));
            let Some(ultima) = ultima else { continue };
            violacoes.extend(aviso_atrasado(historia.usuario, presenca, ultima));
            if presenca.avisos.is_empty() && devia_ouvir(historia, indice, presenca, ultima) {
                violacoes.push(aviso_perdido(historia.usuario, presenca, ultima));
            }
        }
    }
}

fn aviso_repetido(usuario: usize, presenca: &Presenca) -> Option<Violacao> {
    let [primeiro, segundo, ..] = presenca.avisos[..] else { return None };
    Some(Violacao {
        quando: segundo,
        texto: format!(
            "AVISO repetido: o usuário {usuario} o recebeu na mesma conexão aos {} e aos {}",
            segundos(primeiro),
            segundos(segundo)
        ),
    })
}

/// Quem pediu a conexão enquanto o AVISO saía pode tê-lo pego; quem a pediu bem depois, não.
fn aviso_atrasado(usuario: usize, presenca: &Presenca, ultima: &Leitura) -> Option<Violacao> {
    let aviso = presenca.avisos.first()?;
    (presenca.pediu > ultima.fim + TOLERANCIA_DO_AVISO).then(|| Violacao {
        quando: *aviso,
        texto: format!(
            "AVISO atrasado: {ultima}, e o usuário {usuario}, que só conectou depois, o recebeu \
             aos {}",
            segundos(*aviso)
        ),
    })
}

fn aviso_perdido(usuario: usize, presenca: &Presenca, ultima: &Leitura) -> Violacao {
    Violacao {
        quando: ultima.fim + TOLERANCIA_DO_AVISO,
        texto: format!(
            "AVISO perdido: {ultima}, e o usuário {usuario}, conectado desde {}, nunca o recebeu",
            segundos(presenca.conectou)
        ),
    }
}

/// Estava certamente na lista do servidor (já tinha ouvido uma resposta) antes da última venda, e
/// ficou conectado tempo de sobra depois dela?
fn devia_ouvir(historia: &Historia, indice: usize, presenca: &Presenca, ultima: &Leitura) -> bool {
    let mut na_conexao = historia.operacoes.iter().filter(|operacao| operacao.presenca == indice);
    let respondida_antes =
        |o: &Operacao| o.resposta.as_ref().is_some_and(|(quando, _)| *quando < ultima.inicio);
    // Só depois destas contas rápidas, que quase nenhuma conexão passa, vale percorrer os pedidos.
    presenca.conectou < ultima.inicio
        && presenca.fechou.is_none_or(|fechou| fechou > ultima.fim + TOLERANCIA_DO_AVISO)
        // Ouviu algo na hora certa, em palavras que não se reconhecem: na dúvida, vale.
        && presenca.outros_avisos.iter().all(|aviso| *aviso < ultima.inicio)
        && na_conexao.any(respondida_antes)
}

fn observar(historias: &[Historia], leituras: &[Leitura]) -> Vec<String> {
    let mut observacoes = Vec::new();
    let operacoes = historias.iter().flat_map(|historia| &historia.operacoes);
    let sem_resposta = operacoes.filter(|o| o.compra && o.resposta.is_none()).count();
    if sem_resposta > 0 {
        let compras = contar(sem_resposta, "compra sem resposta", "compras sem resposta");
        observacoes.push(format!("{compras}: cada uma pode ter sido feita ou não"));
    }
    let vendas: BTreeSet<i128> =
        leituras.iter().filter(|l| l.que == Que::Venda).map(|l| l.valor).collect();
    let maior = leituras.iter().map(Leitura::antes).max().unwrap_or(0);
    let menor = leituras.iter().map(|l| l.valor).min().unwrap_or(0);
    let por_fora =
        usize::try_from(maior.saturating_sub(menor)).unwrap_or(0).saturating_sub(vendas.len());
    if por_fora > 0 {
        let unidades = contar(por_fora, "unidade", "unidades");
        let recusou = leituras.iter().any(|l| l.que == Que::Recusa);
        let ou = if recusou { ", ou o servidor recusou com estoque" } else { "" };
        observacoes.push(format!(
            "{unidades} sem comprador conhecido: outros as compraram, as respostas se perderam{ou}"
        ));
    }
    if vendas.is_empty() && maior == 0 && !leituras.is_empty() {
        observacoes.push("o estoque já estava esgotado quando a multidão chegou".into());
    }
    observacoes
}

#[cfg(test)]
mod testes {
    use super::*;
    use proptest::prelude::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn operacao(enviada: u64, chegou: u64, desfecho: Desfecho) -> Operacao {
        let compra = !matches!(desfecho, Desfecho::Leu(_));
        Operacao {
            presenca: 0,
            compra,
            enviada: ms(enviada),
            resposta: Some((ms(chegou), desfecho)),
        }
    }

    /// Um usuário com uma conexão, aberta de 0 a 100 s.
    fn historia(usuario: usize, operacoes: Vec<Operacao>, avisos: &[u64]) -> Historia {
        let presenca = Presenca {
            fechou: Some(ms(100_000)),
            avisos: avisos.iter().map(|n| ms(*n)).collect(),
            ..Presenca::default()
        };
        Historia { usuario, presencas: vec![presenca], operacoes, ..Historia::default() }
    }

    fn violacao(historias: &[Historia]) -> String {
        let parecer = auditar(historias);
        parecer.violacoes.first().map(|v| v.texto.clone()).unwrap_or_default()
    }

    use Desfecho::{Comprou, Leu, Recusado};

    #[test]
    fn uma_venda_certa_passa() {
        let historias = [
            historia(1, vec![operacao(0, 1, Leu(2)), operacao(2, 5, Comprou(1))], &[9]),
            historia(2, vec![operacao(0, 1, Leu(2)), operacao(6, 8, Comprou(0))], &[9]),
            historia(3, vec![operacao(3, 6, Leu(1)), operacao(7, 9, Recusado)], &[9]),
        ];
        assert_eq!(auditar(&historias), Parecer::default());
        assert_eq!(auditar(&historias).to_string(), "Veredito: CONSISTENTE\n");
    }

    #[test]
    fn a_mesma_unidade_duas_vezes() {
        let historias = [
            historia(3, vec![operacao(0, 5, Comprou(4))], &[]),
            historia(17, vec![operacao(1, 6, Comprou(4))], &[]),
        ];
        assert_eq!(
            auditar(&historias).to_string(),
            "Veredito: INCONSISTENTE: a mesma unidade vendida duas vezes: o usuário 3 comprou e \
             restaram 4 aos 0,005000 s, e o usuário 17 comprou e restaram 4 aos 0,006000 s\n"
        );
    }

    #[test]
    fn estoque_negativo() {
        assert!(
            violacao(&[historia(1, vec![operacao(0, 1, Comprou(-1))], &[])])
                .starts_with("estoque negativo: o usuário 1")
        );
    }

    #[test]
    fn o_estoque_nao_sobe() {
        for (antes, depois) in [
            (Leu(3), Leu(4)),
            (Leu(3), Comprou(3)),
            (Comprou(3), Leu(4)),
            (Recusado, Comprou(0)),
            (Recusado, Leu(1)),
        ] {
            let seguidas = [
                historia(1, vec![operacao(0, 1, antes.clone())], &[]),
                historia(2, vec![operacao(2, 3, depois.clone())], &[]),
            ];
            let texto = violacao(&seguidas);
            assert!(
                texto.starts_with("o estoque subiu: o usuário 2"),
                "{antes:?} {depois:?} {texto}"
            );
            // Ao mesmo tempo, qualquer ordem explica as duas.
            let juntas = [
                historia(1, vec![operacao(0, 2, antes)], &[]),
                historia(2, vec![operacao(2, 3, depois)], &[]),
            ];
            assert_eq!(violacao(&juntas), "");
        }
    }

    #[test]
    fn aviso_antes_da_hora() {
        let historias = [
            historia(1, vec![operacao(0, 1, Leu(2))], &[1]),
            historia(2, vec![operacao(2, 3, Comprou(1))], &[]),
        ];
        assert!(violacao(&historias).contains("mas antes disso o usuário 1 recebeu o AVISO"));
    }

    #[test]
    fn aviso_repetido_perdido_e_a_quem_chegou_depois() {
        let comprador = historia(1, vec![operacao(0, 1, Leu(1)), operacao(5, 6, Comprou(0))], &[7]);
        let presente = |avisos: &[u64]| historia(2, vec![operacao(0, 1, Leu(1))], avisos);
        assert_eq!(violacao(&[comprador.clone(), presente(&[7])]), "");
        assert!(violacao(&[comprador.clone(), presente(&[7, 8])]).starts_with("AVISO repetido"));
        assert!(violacao(&[comprador.clone(), presente(&[])]).starts_with("AVISO perdido"));

        let mut saiu_logo = presente(&[]);
        saiu_logo.presencas[0].fechou = Some(ms(500));
        assert_eq!(violacao(&[comprador.clone(), saiu_logo]), "");

        let mut com_outras_palavras = presente(&[]);
        com_outras_palavras.presencas[0].outros_avisos = vec![ms(7)];
        assert_eq!(violacao(&[comprador.clone(), com_outras_palavras]), "");

        let mut atrasado = historia(3, vec![operacao(3000, 3001, Leu(0))], &[3002]);
        atrasado.presencas[0].pediu = ms(2000);
        assert!(violacao(&[comprador, atrasado]).starts_with("AVISO atrasado"));
    }

    #[test]
    fn a_primeira_contradicao_a_acontecer_e_a_primeira_dita() {
        let historias = [
            historia(1, vec![operacao(0, 5, Comprou(4)), operacao(90, 100, Comprou(-1))], &[]),
            historia(2, vec![operacao(1, 6, Comprou(4))], &[]),
        ];
        let texto = auditar(&historias).to_string();
        assert!(texto.contains("INCONSISTENTE: a mesma unidade"), "{texto}");
        assert!(texto.contains("(e mais 1 contradição)"), "{texto}");
    }

    #[test]
    fn a_unidade_que_falta_entre_duas_vendas_e_observada() {
        let vendas = vec![operacao(0, 1, Comprou(3)), operacao(2, 3, Comprou(1))];
        let parecer = auditar(&[historia(1, vendas, &[])]);
        assert!(parecer.observacoes[0].starts_with("1 unidade sem comprador conhecido"));
    }

    #[test]
    fn numeros_absurdos_nao_derrubam_a_auditoria() {
        let historias = [historia(
            1,
            vec![operacao(0, 1, Leu(i128::MAX)), operacao(2, 3, Comprou(i128::MIN))],
            &[],
        )];
        assert!(violacao(&historias).starts_with("estoque negativo"));
    }

    #[test]
    fn o_que_nao_se_pode_afirmar_e_so_observado() {
        let mut perdida = operacao(2, 3, Comprou(0));
        perdida.resposta = None;
        let historias = [
            historia(1, vec![operacao(0, 1, Leu(10)), perdida], &[]),
            historia(2, vec![operacao(5, 6, Comprou(7)), operacao(7, 8, Comprou(1))], &[]),
        ];
        let parecer = auditar(&historias);
        assert!(parecer.consistente());
        assert_eq!(
            parecer.observacoes,
            [
                "1 compra sem resposta: cada uma pode ter sido feita ou não",
                "7 unidades sem comprador conhecido: outros as compraram, as respostas se perderam",
            ]
        );
    }

    #[test]
    fn quem_chega_com_tudo_vendido_fica_sabendo() {
        let historias = [historia(1, vec![operacao(0, 1, Leu(0)), operacao(2, 3, Recusado)], &[])];
        let parecer = auditar(&historias);
        assert!(parecer.consistente());
        assert_eq!(parecer.observacoes, ["o estoque já estava esgotado quando a multidão chegou"]);
    }

    #[test]
    fn as_consultas_que_leem_o_negativo_sao_o_eco_da_venda() {
        let venda = || historia(1, vec![operacao(0, 1, Comprou(-1))], &[]);
        let ecos = |usuario| {
            historia(usuario, vec![operacao(2, 3, Leu(-1)), operacao(4, 5, Leu(-1))], &[])
        };
        assert_eq!(auditar(&[venda(), ecos(2), ecos(3)]).violacoes.len(), 1);
        assert_eq!(auditar(&[ecos(2), ecos(3)]).violacoes.len(), 1);
    }

    /// O que um contador certo faria: cada operação age em um instante, entre o envio e a resposta.
    fn historias_de_um_contador_certo(
        estoque: i128,
        operacoes: &[(usize, bool, u64, u64)],
    ) -> Vec<Historia> {
        let mut estoque = estoque;
        let mut historias: Vec<Historia> = (1..=4).map(|u| historia(u, vec![], &[])).collect();
        for (instante, (usuario, compra, antes, depois)) in (1000..).step_by(10).zip(operacoes) {
            let desfecho = match (compra, estoque) {
                (false, _) => Leu(estoque),
                (true, 0) => Recusado,
                (true, _) => {
                    estoque -= 1;
                    if estoque == 0 {
                        for historia in &mut historias {
                            historia.presencas[0].avisos.push(ms(instante));
                        }
                    }
                    Comprou(estoque)
                }
            };
            let nova = operacao(instante - antes, instante + depois, desfecho);
            historias[*usuario].operacoes.push(nova);
        }
        historias
    }

    proptest! {
        #[test]
        fn um_contador_certo_sempre_passa_e_uma_venda_a_mais_nunca(
            estoque in 1i128..20,
            operacoes in proptest::collection::vec((0usize..4, any::<bool>(), 0u64..100, 0u64..100), 1..60),
            qual in any::<prop::sample::Index>(),
        ) {
            let mut historias = historias_de_um_contador_certo(estoque, &operacoes);
            prop_assert_eq!(violacao(&historias), "");

            // O defeito plantado: uma recusa ou outra venda vira a venda de uma unidade já vendida.
            let vendidas: Vec<i128> = reunir_leituras(&historias)
                .iter().filter(|l| l.que == Que::Venda).map(|l| l.valor).collect();
            if !vendidas.is_empty() {
                let de_novo = vendidas[qual.index(vendidas.len())];
                historias[0].operacoes.push(operacao(5000, 5001, Comprou(de_novo)));
                prop_assert!(!auditar(&historias).consistente());
            }
        }
    }
}
