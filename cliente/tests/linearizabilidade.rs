//! A auditoria diante de um verificador que não é nosso: o WGL (Wing e Gong, Lowe) do crate `todc-utils`.
//!
//! O verificador recebe só a especificação sequencial do contador (`CONSULTAR` devolve o que há; `COMPRAR` desconta
//! um se há, e senão recusa) e procura uma ordem que explique a história. Não sabe do atalho da auditoria, que é o
//! contador só descer. As histórias saem de uma semente: um contador certo, com pedidos que se cruzam, e o mesmo com
//! um defeito plantado. Os dois têm de concordar em cada uma.
//!
//! - **Com o estoque conhecido**, a especificação é o contador e mais nada. Um COMPRAR sem resposta pode ter valido
//!   ou não: experimenta-se cada subconjunto deles, terminando no fim de tudo, e basta um que sirva.
//! - **Sem ele**, pode haver outros compradores: a especificação deixa o contador descer sozinho antes de cada
//!   operação. Como cada resposta diz onde ele ficou, isso é o mesmo que aceitar qualquer valor que não suba; e
//!   os pedidos sem resposta não precisam ter valido, porque a unidade pode ser de um desconhecido.
//! - **Com vendas sem número** a auditoria é mais fraca de propósito, e só se confere que ela não acusa quem o
//!   verificador explica.
//!
//! `cargo test -p cliente --test linearizabilidade -- --nocapture` diz quantas foram. As longas usam três usuários,
//! porque o custo do WGL cresce depressa com os pedidos que se cruzam, e têm duas mil operações; com
//! `OPERACOES=10000`, dez mil, que ele leva um minuto para conferir.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use cliente::auditoria::auditar;
use cliente::conversa::desfecho::Desfecho;
use cliente::historia::vivido::{Conexao, Historia, Operacao};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::Action::{Call, Response};
use todc_utils::linearizability::history::History;
use todc_utils::specifications::Specification;

/// O que se pediu e o que se ouviu, para o verificador.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pedido {
    /// O servidor abriu com isto: vem antes de tudo.
    Abriu(i128),
    Consultou(i128),
    Comprou(i128),
    /// Comprou, e o número não se leu.
    ComprouUma,
    Recusado,
}

/// O contador, e ninguém mais compra dele.
struct SoNos;

impl Specification for SoNos {
    type State = Option<i128>;
    type Operation = Pedido;

    fn init() -> Self::State {
        None
    }

    fn apply(pedido: &Pedido, estado: &Self::State) -> (bool, Self::State) {
        let depois = match (pedido, *estado) {
            (Pedido::Abriu(inicial), None) => Some(*inicial),
            (Pedido::Consultou(leu), Some(ha)) if *leu == ha => Some(ha),
            (Pedido::Comprou(restou), Some(ha)) if ha > 0 && *restou == ha - 1 => Some(ha - 1),
            (Pedido::ComprouUma, Some(ha)) if ha > 0 => Some(ha - 1),
            (Pedido::Recusado, Some(0)) => Some(0),
            _ => None,
        };
        (depois.is_some(), depois.or(*estado))
    }
}

/// O contador, de que outros também compram: entre duas operações ele pode descer.
struct ComOutros;

impl Specification for ComOutros {
    type State = Option<i128>;
    type Operation = Pedido;

    fn init() -> Self::State {
        None
    }

    fn apply(pedido: &Pedido, estado: &Self::State) -> (bool, Self::State) {
        let depois = match (pedido, *estado) {
            (Pedido::Abriu(inicial), None) => Some(*inicial),
            (Pedido::Consultou(leu), Some(ha)) if (0..=ha).contains(leu) => Some(*leu),
            (Pedido::Comprou(restou), Some(ha)) if (0..ha).contains(restou) => Some(*restou),
            (Pedido::Recusado, Some(_)) => Some(0),
            _ => None,
        };
        (depois.is_some(), depois.or(*estado))
    }
}

/// Uma operação: quando partiu, quando terminou, e o que ouviu; `None`, se nada.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Vivida {
    usuario: usize,
    de: u64,
    ate: u64,
    compra: bool,
    ouviu: Option<Desfecho>,
}

impl Vivida {
    fn pedido(&self) -> Option<Pedido> {
        Some(match self.ouviu.as_ref()? {
            Desfecho::Leu(valor) => Pedido::Consultou(*valor),
            Desfecho::Comprou(restou) => Pedido::Comprou(*restou),
            Desfecho::ComprouSemNumero => Pedido::ComprouUma,
            Desfecho::Recusado => Pedido::Recusado,
            Desfecho::LeuSemNumero | Desfecho::ForaDeAlcance | Desfecho::Estranho(_) => {
                return None;
            }
        })
    }

    fn em_duvida(&self) -> bool {
        self.compra && self.ouviu.is_none()
    }
}

/// Um contador certo, e usuários cujos pedidos se cruzam. Cada passo tem o seu instante.
fn certa(sorte: &mut ChaCha8Rng, usuarios: usize, operacoes: usize, estoque: i128) -> Vec<Vivida> {
    let mut ha = estoque;
    let mut vividas: Vec<Vivida> = Vec::new();
    // O pedido em curso de cada um: onde está na lista, e se já agiu.
    let mut em_curso: Vec<Option<(usize, bool)>> = vec![None; usuarios];
    let mut agora = 0;
    while vividas.len() < operacoes || em_curso.iter().any(Option::is_some) {
        agora += 1;
        let usuario = sorte.random_range(0..usuarios);
        match em_curso[usuario] {
            None if vividas.len() < operacoes => {
                let compra = sorte.random_bool(0.5);
                em_curso[usuario] = Some((vividas.len(), false));
                vividas.push(Vivida {
                    usuario: usuario + 1,
                    de: agora,
                    ate: agora,
                    compra,
                    ouviu: None,
                });
            }
            None => {}
            Some((qual, false)) => {
                vividas[qual].ouviu = Some(match (vividas[qual].compra, ha) {
                    (false, _) => Desfecho::Leu(ha),
                    (true, 0) => Desfecho::Recusado,
                    (true, _) => {
                        ha -= 1;
                        Desfecho::Comprou(ha)
                    }
                });
                em_curso[usuario] = Some((qual, true));
            }
            Some((qual, true)) => {
                vividas[qual].ate = agora;
                em_curso[usuario] = None;
            }
        }
    }
    vividas
}

/// Planta um defeito, dos que um servidor sem Lock comete, ou dos que se podem inventar.
fn estragar(sorte: &mut ChaCha8Rng, vividas: &mut [Vivida], estoque: i128) {
    let qual = sorte.random_range(0..vividas.len());
    let outra = sorte.random_range(0..vividas.len());
    let valor = match &vividas[outra].ouviu {
        Some(Desfecho::Leu(valor) | Desfecho::Comprou(valor)) => *valor,
        _ => 0,
    };
    let vivida = &mut vividas[qual];
    vivida.ouviu = Some(match (vivida.compra, sorte.random_range(0..6)) {
        (true, 0) => Desfecho::Comprou(valor), // a mesma unidade, talvez
        (true, 1) => Desfecho::Comprou(valor - 1), // uma unidade sumiu, ou ficou negativo
        (true, 2) => Desfecho::Recusado,       // com o que vender
        (true, 3) => Desfecho::Comprou(estoque), // mais do que havia
        (true, 4) => Desfecho::Comprou(valor + 1), // o contador subiu
        (true, _) => Desfecho::Comprou(-1),
        (false, 0) => Desfecho::Leu(valor), // leu o que outro viu, cedo ou tarde demais
        (false, 1) => Desfecho::Leu(estoque + 1),
        (false, 2) => Desfecho::Leu(-1),
        (false, 3) => Desfecho::Leu(valor + 1),
        (false, _) => Desfecho::Leu((valor - 1).max(0)),
    });
}

/// O que o verificador diz: há uma ordem que explica estas operações?
fn explica<S: Specification<Operation = Pedido>>(vividas: &[&Vivida], inicial: i128) -> bool {
    let fim = vividas.iter().map(|v| v.ate).max().unwrap_or(0) + 1;
    let mut acoes = Vec::new();
    for (vivida, processo) in vividas.iter().zip(1..) {
        let (pedido, ate) = match vivida.pedido() {
            Some(pedido) => (pedido, vivida.ate),
            // Se valeu, valeu em qualquer instante depois de partir.
            None => (Pedido::ComprouUma, fim + processo as u64),
        };
        acoes.push((vivida.de, processo, Call(pedido)));
        acoes.push((ate, processo, Response(pedido)));
    }
    acoes.sort_by_key(|(quando, ..)| *quando);
    let abriu = Pedido::Abriu(inicial);
    let todas = [(0, Call(abriu)), (0, Response(abriu))]
        .into_iter()
        .chain(acoes.into_iter().map(|(_, processo, acao)| (processo, acao)));
    WGLChecker::<S>::is_linearizable(History::from_actions(todas.collect()))
}

/// Com o estoque conhecido: serve algum subconjunto dos pedidos sem resposta?
fn explicavel_so_por_nos(vividas: &[Vivida], estoque: i128) -> bool {
    let (duvidas, certas): (Vec<&Vivida>, Vec<&Vivida>) = vividas
        .iter()
        .filter(|v| v.em_duvida() || v.pedido().is_some())
        .partition(|v| v.em_duvida());
    (0..1usize << duvidas.len()).any(|quais| {
        let valeram = duvidas.iter().enumerate().filter(|(n, _)| quais >> n & 1 == 1);
        let todas: Vec<&Vivida> = certas.iter().copied().chain(valeram.map(|(_, v)| *v)).collect();
        explica::<SoNos>(&todas, estoque)
    })
}

/// Sem saber o estoque: o maior que se viu é com quanto ele podia estar no começo.
fn explicavel_com_outros(vividas: &[Vivida]) -> bool {
    let certas: Vec<&Vivida> = vividas.iter().filter(|v| v.pedido().is_some()).collect();
    let antes = |vivida: &&Vivida| match vivida.ouviu {
        Some(Desfecho::Leu(valor)) => valor,
        Some(Desfecho::Comprou(restou)) => restou + 1,
        _ => 0,
    };
    explica::<ComOutros>(&certas, certas.iter().map(antes).max().unwrap_or(0).max(0))
}

/// O que a auditoria diz do estoque.
fn absolve(vividas: &[Vivida], estoque: Option<u64>) -> bool {
    let ms = Duration::from_millis;
    let quantos = vividas.iter().map(|v| v.usuario).max().unwrap_or(0);
    let historias: Vec<Historia> = (1..=quantos)
        .map(|usuario| Historia {
            usuario,
            conexoes: vec![Conexao { numero: 1, ..Conexao::default() }],
            operacoes: vividas
                .iter()
                .filter(|v| v.usuario == usuario)
                .map(|v| Operacao {
                    conexao: 1,
                    compra: v.compra,
                    enviada: ms(v.de),
                    resposta: v.ouviu.clone().map(|ouviu| (ms(v.ate), ouviu)),
                    ..Operacao::default()
                })
                .collect(),
            ..Historia::default()
        })
        .collect();
    !auditar(&historias, estoque).violacoes.iter().any(|v| v.regra.do_estoque())
}

/// Tantas histórias, metade delas com um ou dois defeitos plantados.
fn sorteadas(
    semente: u64,
    quantas: usize,
) -> impl Iterator<Item = (Vec<Vivida>, i128, ChaCha8Rng)> {
    let mut sorte = ChaCha8Rng::seed_from_u64(semente);
    (0..quantas).map(move |n| {
        let usuarios = sorte.random_range(2..=4);
        let operacoes = sorte.random_range(3..=12);
        let estoque = sorte.random_range(1..=6);
        let mut vividas = certa(&mut sorte, usuarios, operacoes, estoque);
        for _ in 0..n % 3 {
            estragar(&mut sorte, &mut vividas, estoque);
        }
        let semente = sorte.next_u64();
        (vividas, estoque, ChaCha8Rng::seed_from_u64(semente))
    })
}

/// Algumas compras ficam sem resposta.
fn calar(sorte: &mut ChaCha8Rng, vividas: &mut [Vivida]) {
    for _ in 0..sorte.random_range(0..=3) {
        let qual = sorte.random_range(0..vividas.len());
        if vividas[qual].compra {
            vividas[qual].ouviu = None;
        }
    }
}

#[test]
fn com_o_estoque_conhecido_os_dois_concordam_em_cada_historia() {
    let mut conta = [0; 2];
    for (mut vividas, estoque, mut sorte) in sorteadas(1, 2000) {
        calar(&mut sorte, &mut vividas);
        let (nos, eles) = (
            absolve(&vividas, u64::try_from(estoque).ok()),
            explicavel_so_por_nos(&vividas, estoque),
        );
        assert_eq!(
            nos, eles,
            "a auditoria absolve? o WGL explica? estoque {estoque}: {vividas:#?}"
        );
        conta[usize::from(eles)] += 1;
    }
    println!("com o estoque: {} com contradição, {} explicáveis", conta[0], conta[1]);
    assert!(conta.iter().all(|n| *n > 300), "{conta:?}");
}

#[test]
fn com_outros_compradores_os_dois_concordam_em_cada_historia() {
    let mut conta = [0; 2];
    for (mut vividas, _, mut sorte) in sorteadas(2, 2000) {
        calar(&mut sorte, &mut vividas);
        let (nos, eles) = (absolve(&vividas, None), explicavel_com_outros(&vividas));
        assert_eq!(nos, eles, "a auditoria absolve? o WGL explica? {vividas:#?}");
        conta[usize::from(eles)] += 1;
    }
    println!("com outros compradores: {} com contradição, {} explicáveis", conta[0], conta[1]);
    assert!(conta.iter().all(|n| *n > 300), "{conta:?}");
}

#[test]
fn com_vendas_sem_numero_ninguem_que_o_wgl_explique_e_acusado() {
    let mut explicadas = 0;
    for (mut vividas, estoque, mut sorte) in sorteadas(3, 2000) {
        for vivida in &mut vividas {
            if matches!(vivida.ouviu, Some(Desfecho::Comprou(_))) && sorte.random_bool(0.4) {
                vivida.ouviu = Some(Desfecho::ComprouSemNumero);
            }
        }
        if explicavel_so_por_nos(&vividas, estoque) {
            explicadas += 1;
            assert!(
                absolve(&vividas, u64::try_from(estoque).ok()),
                "acusado: {estoque} {vividas:#?}"
            );
        }
    }
    println!("com vendas sem número: {explicadas} explicáveis, nenhuma acusada");
    assert!(explicadas > 300, "{explicadas}");
}

#[test]
fn em_historias_longas_tambem_concordam() {
    let operacoes = std::env::var("OPERACOES").map_or(2000, |n| n.parse().unwrap());
    let estoque = operacoes as u64 / 3;
    for semente in 0..3 {
        let mut sorte = ChaCha8Rng::seed_from_u64(semente);
        let estoque = i128::from(estoque);
        let mut vividas = certa(&mut sorte, 3, operacoes, estoque);
        if semente > 0 {
            // Perto do fim, para que o verificador tenha de chegar até lá.
            let cauda = vividas.len() - 100;
            estragar(&mut sorte, &mut vividas[cauda..], estoque);
        }
        let (nos, eles) = (
            absolve(&vividas, Some(operacoes as u64 / 3)),
            explicavel_so_por_nos(&vividas, estoque),
        );
        println!("{operacoes} operações, semente {semente}: explicável? {eles}");
        assert_eq!(nos, eles, "semente {semente}");
    }
}
