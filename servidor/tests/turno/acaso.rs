//! Ao acaso: muitos clientes, cortes e ritmos quaisquer.

use super::*;

/// O que um cliente vai mandar, e em que ritmo ele lê e os seus bytes chegam.
#[derive(Debug, Clone)]
struct Roteiro {
    linhas: Vec<&'static str>,
    gole: usize,
    chegada: usize,
}

/// Um acontecimento da cena. O cliente é um índice qualquer, levado para a faixa dos que existem.
#[derive(Debug, Clone)]
enum Passo {
    Manda(Index, usize),
    ParaDeLer(Index),
    LeSoMais(Index, usize),
    VoltaALer(Index),
    Turno,
}

fn roteiro() -> impl Strategy<Value = Roteiro> {
    let linha = prop::sample::select(vec!["CONSULTAR\n", "COMPRAR\n", "comprar\r\n", "AJUDA\n"]);
    let ritmo = || prop_oneof![1usize..30, Just(usize::MAX)];
    (prop::collection::vec(linha, 0..12), ritmo(), ritmo())
        .prop_map(|(linhas, gole, chegada)| Roteiro { linhas, gole, chegada })
}

fn passo() -> impl Strategy<Value = Passo> {
    let quem = any::<Index>;
    prop_oneof![
        4 => (quem(), 1usize..40).prop_map(|(quem, bytes)| Passo::Manda(quem, bytes)),
        1 => quem().prop_map(Passo::ParaDeLer),
        1 => (quem(), 1usize..60).prop_map(|(quem, bytes)| Passo::LeSoMais(quem, bytes)),
        1 => quem().prop_map(Passo::VoltaALer),
        3 => Just(Passo::Turno),
    ]
}

/// Encena os passos e, no fim, manda o que faltava e deixa todos lerem.
fn encenar(mesa: &mut Mesa, roteiros: &[Roteiro], passos: &[Passo]) -> Vec<Cliente> {
    let clientes: Vec<Cliente> = roteiros.iter().map(|_| mesa.entra()).collect();
    let mut faltas: Vec<String> = roteiros.iter().map(|roteiro| roteiro.linhas.concat()).collect();
    for (cliente, roteiro) in clientes.iter().zip(roteiros) {
        cliente.le_aos_goles_de(roteiro.gole);
        cliente.chega_aos_pedacos_de(roteiro.chegada);
    }
    for passo in passos {
        match passo {
            Passo::Manda(quem, bytes) => {
                let falta = quem.get_mut(&mut faltas);
                let corte = falta.len().min(*bytes);
                quem.get(&clientes).manda(falta.drain(..corte).as_str());
            }
            Passo::ParaDeLer(quem) => quem.get(&clientes).para_de_ler(),
            Passo::LeSoMais(quem, bytes) => quem.get(&clientes).le_so_mais(*bytes),
            Passo::VoltaALer(quem) => quem.get(&clientes).volta_a_ler(),
            Passo::Turno => mesa.turno(),
        }
    }
    for (cliente, falta) in clientes.iter().zip(faltas) {
        cliente.manda(falta);
        cliente.volta_a_ler();
    }
    mesa.gira();
    clientes
}

/// Esta mensagem pode ser a resposta a esta linha?
fn responde(mensagem: &Mensagem, linha: &str) -> bool {
    match linha.trim_end() {
        "CONSULTAR" => matches!(mensagem, Mensagem::Estoque(_)),
        "AJUDA" => matches!(mensagem, Mensagem::Outra(texto) if texto.starts_with("Comandos: ")),
        _ => matches!(mensagem, Mensagem::Compra { .. } | Mensagem::Esgotado),
    }
}

/// Antes do AVISO ainda há o que vender (menos para quem comprou a última); depois, nada mais.
fn aviso_no_lugar(mensagens: &[Mensagem]) -> bool {
    let aviso = mensagens.iter().position(|m| matches!(m, Mensagem::Aviso(_)));
    let (antes, depois) = mensagens.split_at(aviso.unwrap_or(mensagens.len()));
    let esgotado = |m: &Mensagem| matches!(m, Mensagem::Estoque(0) | Mensagem::Esgotado);
    let vendeu = |m: &Mensagem| matches!(m, Mensagem::Compra { .. });
    let sobrava = |m: &Mensagem| matches!(m, Mensagem::Estoque(n) if *n > 0);
    aviso.is_none()
        || !antes.iter().any(esgotado) && !depois.iter().any(|m| vendeu(m) || sobrava(m))
}

proptest! {
    // Falhou, o caso encolhido já vem na mensagem: não é preciso guardá-lo em um arquivo.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cortes_e_ritmos_ao_acaso_nao_mudam_a_conta(
        estoque in 0u64..15,
        roteiros in prop::collection::vec(roteiro(), 1..5),
        passos in prop::collection::vec(passo(), 0..80),
    ) {
        let mut mesa = Mesa::com_estoque(estoque);
        let clientes = encenar(&mut mesa, &roteiros, &passos);
        let compras = roteiros.iter().flat_map(|roteiro| &roteiro.linhas)
            .filter(|linha| linha.to_uppercase().starts_with("COMPRAR"))
            .count() as u64;
        let vendas = compras.min(estoque);
        let esgotou = estoque > 0 && vendas == estoque;

        let mut restantes = Vec::new();
        for (cliente, roteiro) in clientes.iter().zip(&roteiros) {
            let ouvido = cliente.ouviu();
            let mensagens: Vec<Mensagem> =
                ouvido.lines().map(|linha| Mensagem::interpretar(linha.as_bytes())).collect();
            let (avisos, respostas): (Vec<&Mensagem>, Vec<&Mensagem>) =
                mensagens.iter().partition(|m| matches!(m, Mensagem::Aviso(_)));
            prop_assert_eq!(avisos.len(), usize::from(esgotou));
            prop_assert!(aviso_no_lugar(&mensagens), "{}", ouvido);
            prop_assert_eq!(respostas.len(), roteiro.linhas.len());
            prop_assert!(respostas.iter().zip(&roteiro.linhas).all(|(m, l)| responde(m, l)));
            restantes.extend(respostas.iter().filter_map(|mensagem| match mensagem {
                Mensagem::Compra { restante } => Some(*restante),
                _ => None,
            }));
        }
        // Cada venda tem o seu restante, e eles vão do primeiro ao último sem buracos.
        restantes.sort_unstable();
        let esperados: Vec<i128> = (estoque - vendas..estoque).map(i128::from).collect();
        prop_assert_eq!(restantes, esperados);
        prop_assert_eq!(mesa.vendas(), vendas);

        for cliente in &clientes {
            cliente.fecha();
        }
        mesa.gira();
        prop_assert!(mesa.vazio());
    }
}
