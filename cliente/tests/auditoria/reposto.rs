//! Um estoque que também sobe, com o livro e sem ele; e um oráculo que tenta todas as ordens, das vendas e das
//! reposições, sem saber das regras.

use cliente::auditoria::motivos::SemAviso;
use cliente::auditoria::reposicoes::Reposicoes;
use cliente::auditoria::veredito::{Estoque, Veredito};
use cliente::auditoria::{auditar, auditar_com_reposicoes};
use cliente::conversa::desfecho::Desfecho::{Comprou, Leu, Recusado};
use cliente::historia::vivido::Historia;
use proptest::prelude::*;

use crate::exemplos::*;
use crate::oraculo::{OQue, Visto, em_historias, sem_os_avisos, vistos_quaisquer};

/// Unidades, e depois de quantas vendas entraram.
type Livro = Vec<(u64, u64)>;

fn reposicoes(livro: &[(u64, u64)]) -> Reposicoes {
    Reposicoes::novas(livro.iter().copied()).unwrap()
}

fn com_o_livro(historias: &[Historia], estoque: Option<u64>, livro: &[(u64, u64)]) -> Veredito {
    auditar_com_reposicoes(historias, estoque, &reposicoes(livro))
}

/// Vende duas de duas, repõe uma, vende-a.
fn vendeu_repos_e_vendeu() -> Vec<Historia> {
    let primeira = historia(1, vec![operacao(0, 1, Comprou(1)), operacao(2, 3, Comprou(0))], &[3]);
    let depois = vec![operacao(4, 5, Recusado), operacao(6, 7, Leu(1)), operacao(8, 9, Comprou(0))];
    vec![primeira, historia(2, depois, &[9])]
}

#[test]
fn sem_o_livro_o_estoque_que_sobe_e_acusado_e_com_ele_nao() {
    let historias = vendeu_repos_e_vendeu();
    assert_eq!(auditar(&historias, Some(2)).estoque(), Estoque::Inconsistente);
    for estoque in [None, Some(2)] {
        let veredito = com_o_livro(&historias, estoque, &[(2, 0), (1, 2)]);
        assert_eq!((veredito.estoque(), &veredito.violacoes[..]), (Estoque::Consistente, &[][..]));
        assert_eq!(veredito.ouviram, Err(SemAviso::Reposto));
        let dito = veredito.to_string();
        assert!(dito.contains("o livro o explica: 1 unidade entrou em 1 reposição"), "{dito}");
    }
}

#[test]
fn o_livro_so_explica_o_que_entrou_e_depois_das_vendas_que_diz() {
    let historias = vendeu_repos_e_vendeu();
    // Entrou mais; ou antes; ou nada.
    for livro in [&[(2, 0), (2, 2)][..], &[(2, 0), (1, 1)], &[(2, 0)]] {
        let veredito = com_o_livro(&historias, Some(2), livro);
        assert_eq!(veredito.estoque(), Estoque::Inconsistente, "{livro:?}");
    }
}

#[test]
fn a_mesma_unidade_vendida_duas_vezes_nao_se_esconde_na_reposicao() {
    // Depois da reposição, o 0 só se vende uma vez.
    let mut historias = vendeu_repos_e_vendeu();
    historias.push(so(3, 8, 9, Comprou(0)));
    let veredito = com_o_livro(&historias, None, &[(2, 0), (1, 2)]);
    assert_eq!(veredito.primeira(true).unwrap().regra.nome(), "venda-repetida");
    // E o que se mostra é o que se ouviu.
    assert!(veredito.violacoes[0].provas.iter().all(|prova| prova.valor == 0));
}

#[test]
fn uma_unidade_reposta_que_some_e_acusada_com_o_numero_que_se_ouviu() {
    let depois = vec![operacao(4, 5, Leu(3)), operacao(6, 7, Leu(1))];
    let historias = [historia(1, vec![operacao(0, 1, Comprou(0))], &[]), historia(2, depois, &[])];
    let veredito = com_o_livro(&historias, Some(1), &[(1, 0), (3, 1)]);
    let frase = veredito.violacoes[0].to_string();
    assert!(
        frase.contains("leu 1") && frase.contains("ninguém comprou a que deixaria 2"),
        "{frase}"
    );
    // Com outros compradores, não se pode afirmar.
    assert_eq!(com_o_livro(&historias, None, &[(1, 0), (3, 1)]).violacoes, []);
}

#[test]
fn reposto_antes_de_a_multidao_chegar_o_aviso_julga_se_como_sempre() {
    let livro = [(1, 0), (2, 1)];
    let operacoes = vec![operacao(0, 1, Comprou(1)), operacao(2, 3, Comprou(0))];
    let historias = [historia(1, operacoes, &[4, 5])];
    let veredito = com_o_livro(&historias, None, &livro);
    assert_eq!(veredito.primeira(false).unwrap().regra.nome(), "aviso-repetido");
}

#[test]
fn um_livro_que_nao_podia_ser_e_um_arquivo_que_nao_e_extrato_sao_recusados() {
    for livro in [&[][..], &[(5, 1)], &[(2, 0), (1, 3)], &[(9, 0), (1, 4), (1, 3)]] {
        assert_eq!(Reposicoes::novas(livro.iter().copied()), None, "{livro:?}");
    }
    let pasta = tempfile::tempdir().unwrap();
    let arquivo = pasta.path().join("extrato.json");
    assert!(Reposicoes::ler(&arquivo).unwrap_err().to_string().contains("não posso ler"));
    std::fs::write(&arquivo, "numero,instante\n").unwrap();
    assert!(Reposicoes::ler(&arquivo).unwrap_err().to_string().contains("--json"));
    let extrato = r#"{"formato":1,"estoque":[
        {"instante":"x","tipo":"inicial","unidades":2,"depois_da_venda":0},
        {"instante":"y","tipo":"reposicao","unidades":1,"depois_da_venda":2}],"vendas":[]}"#;
    std::fs::write(&arquivo, extrato).unwrap();
    assert_eq!(Reposicoes::ler(&arquivo).unwrap(), reposicoes(&[(2, 0), (1, 2)]));
}

/// Como está o estoque, em uma ordem que se experimenta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Estado {
    estoque: i128,
    vendidas: u64,
    entraram: usize,
}

impl Estado {
    /// Depois de mais uma venda, se o livro a deixa acontecer antes da próxima entrada.
    fn vender(self, livro: &Livro) -> Option<Self> {
        let espera_a_entrada =
            livro.get(self.entraram).is_some_and(|(_, depois)| *depois == self.vendidas);
        (self.estoque > 0 && !espera_a_entrada).then(|| Estado {
            estoque: self.estoque - 1,
            vendidas: self.vendidas + 1,
            ..self
        })
    }

    /// Depois da próxima entrada, se é a hora dela.
    fn repor(self, livro: &Livro) -> Option<Self> {
        let (unidades, depois) = livro.get(self.entraram)?;
        (*depois == self.vendidas).then(|| Estado {
            estoque: self.estoque + i128::from(*unidades),
            entraram: self.entraram + 1,
            ..self
        })
    }
}

/// Há uma ordem que respeita o tempo real, o livro e o que cada um ouviu? `por_fora` diz se outros também compram.
fn ha_ordem(vistos: &[Visto], feitos: u32, estado: Estado, livro: &Livro, por_fora: bool) -> bool {
    let falta = |indice: usize| feitos & (1 << indice) == 0;
    let duvida = |visto: &Visto| matches!(visto.o_que, OQue::Duvida { .. });
    if vistos.iter().enumerate().all(|(indice, visto)| !falta(indice) || duvida(visto)) {
        return true;
    }
    for (indice, visto) in vistos.iter().enumerate().filter(|(indice, _)| falta(*indice)) {
        let depois_de_outro = vistos.iter().enumerate().any(|(outro, antes)| {
            outro != indice && falta(outro) && !duvida(antes) && antes.fim < visto.inicio
        });
        let seguinte = match visto.o_que {
            OQue::Leu(valor) => (estado.estoque == valor).then_some(estado),
            OQue::Comprou(valor) => estado.vender(livro).filter(|depois| depois.estoque == valor),
            OQue::Recusado | OQue::Aviso => (estado.estoque == 0).then_some(estado),
            OQue::Duvida { .. } => estado.vender(livro),
        };
        let feitos = feitos | 1 << indice;
        let segue = |estado| ha_ordem(vistos, feitos, estado, livro, por_fora);
        if !depois_de_outro && seguinte.is_some_and(segue) {
            return true;
        }
    }
    let sozinho = [estado.repor(livro), estado.vender(livro).filter(|_| por_fora)];
    sozinho.into_iter().flatten().any(|estado| ha_ordem(vistos, feitos, estado, livro, por_fora))
}

/// Todos os estados por que o livro passa.
fn estados(livro: &Livro) -> Vec<Estado> {
    let inicial = Estado { estoque: i128::from(livro[0].0), vendidas: 0, entraram: 1 };
    let seguinte = |estado: &Estado| estado.repor(livro).or_else(|| estado.vender(livro));
    std::iter::successors(Some(inicial), seguinte).collect()
}

fn livros() -> impl Strategy<Value = Livro> {
    let entrada = (1u64..4, 0u64..4);
    (0u64..4, prop::collection::vec(entrada, 0..=2)).prop_map(|(inicial, entradas)| {
        let (mut livro, mut total, mut vendidas) = (vec![(inicial, 0)], inicial, 0);
        for (unidades, vendas) in entradas {
            vendidas = (vendidas + vendas).min(total);
            livro.push((unidades, vendidas));
            total += unidades;
        }
        livro
    })
}

/// Respostas de um servidor certo com este livro, em que uma ou outra pode ter saído trocada.
fn quase_certos(livro: &Livro, pedidos: &[(u64, u64, u64, u8, i128)], de: usize) -> Vec<Visto> {
    let todos = estados(livro);
    let mut estado = todos[de % todos.len()];
    let mut vistos = Vec::new();
    let mut agiu = 3;
    for (passo, antes, depois, que, troca) in pedidos {
        agiu += passo;
        // Repõe-se quando o livro manda, e às vezes antes de se pedir de novo.
        while let Some(reposto) = estado.repor(livro).filter(|_| que % 2 == 0) {
            estado = reposto;
        }
        let vendeu = estado.vender(livro).filter(|_| *que >= 4);
        estado = vendeu.unwrap_or(estado);
        let o_que = match que {
            9 => OQue::Duvida { estranha: *troca == 0 },
            4.. if vendeu.is_some() => OQue::Comprou(estado.estoque + troca),
            4.. if estado.estoque == 0 => OQue::Recusado,
            _ => OQue::Leu(estado.estoque + troca),
        };
        vistos.push(Visto { inicio: u64::saturating_sub(agiu, *antes), fim: agiu + depois, o_que });
    }
    vistos
}

fn concordam(vistos: &[Visto], livro: &Livro) -> Result<(), TestCaseError> {
    let vistos = sem_os_avisos(vistos);
    let acusado = |estoque| {
        let veredito = com_o_livro(&em_historias(&vistos), estoque, livro);
        veredito.violacoes.iter().any(|violacao| violacao.regra.do_estoque())
    };
    let todos = estados(livro);
    prop_assert_eq!(acusado(None), !ha_ordem(&vistos, 0, todos[0], livro, true), "com outros");
    for inicial in 0..5 {
        let mut comecos =
            todos.iter().filter(|estado| estado.estoque == i128::from(inicial)).peekable();
        if comecos.peek().is_some() {
            let certo = comecos.any(|comeco| ha_ordem(&vistos, 0, *comeco, livro, false));
            prop_assert_eq!(acusado(Some(inicial)), !certo, "a começar de {}", inicial);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8192))]

    #[test]
    fn com_o_livro_as_regras_concordam_com_o_oraculo(vistos in vistos_quaisquer(), livro in livros()) {
        concordam(&vistos, &livro)?;
    }

    #[test]
    fn com_o_livro_concordam_tambem_quando_quase_tudo_esta_certo(
        livro in livros(),
        de in 0usize..8,
        pedidos in prop::collection::vec(
            (0u64..4, 0u64..4, 0u64..4, 0u8..10, prop_oneof![9 => Just(0i128), 1 => -2i128..3]),
            0..=6,
        ),
    ) {
        concordam(&quase_certos(&livro, &pedidos, de), &livro)?;
    }
}
