//! O extrato, nas suas formas; e qualquer história.

use super::*;

#[test]
fn o_extrato_para_ler_poe_cada_coisa_no_seu_lugar() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    let (texto, _) = extrato(&caminho, Forma::Tabela);
    let sem_horas: Vec<String> = texto
        .lines()
        .map(|linha| {
            let palavras = linha.split_whitespace().filter(|palavra| !palavra.ends_with('Z'));
            palavras.collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(
        sem_horas[2..],
        [
            "venda instante endereço restante",
            "estoque inicial +10",
            "1 192.0.2.1:4000 9",
            "2 192.0.2.1:4000 8",
            "3 192.0.2.1:4000 7",
            "reposição +5",
            "4 192.0.2.1:4000 11",
            "5 192.0.2.1:4000 10",
            "6 192.0.2.1:4000 9",
            "7 192.0.2.1:4000 8",
            "",
            "inicial 10",
            "reposto 5",
            "vendido 7",
            "à venda 8",
            "",
            "Íntegro: vendido + à venda = inicial + reposto, e cada restante é o que devia ser.",
        ]
    );
}

#[test]
fn o_resumo_diz_as_contas_quando_e_quem_sem_as_vendas() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    let (json, _) = extrato(&caminho, Forma::Json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let instante = |venda: usize| json["vendas"][venda]["instante"].as_str().unwrap().to_owned();
    let (texto, veredito) = extrato(&caminho, Forma::Resumo);
    assert_eq!(veredito.dano, None);
    let linhas: Vec<_> =
        texto.lines().map(|linha| linha.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        linhas[1..],
        [
            "",
            "inicial 10",
            "reposto 5",
            "vendido 7",
            "à venda 8",
            "",
            &format!("primeira venda {}", instante(0)),
            &format!("última venda {}", instante(6)),
            "",
            "1 IP comprou:",
            "7 192.0.2.1",
            "",
            "Íntegro: vendido + à venda = inicial + reposto, e cada restante é o que devia ser.",
        ]
    );
}

#[test]
fn o_extrato_para_programas_diz_o_mesmo() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    let (csv, _) = extrato(&caminho, Forma::Csv);
    let mut planilha = csv::Reader::from_reader(csv.as_bytes());
    let colunas = vec!["numero", "instante", "endereco", "restante", "pedido"];
    assert_eq!(planilha.headers().unwrap(), colunas);
    let linhas: Vec<_> = planilha.records().map(Result::unwrap).collect();
    assert_eq!((linhas.len(), &linhas[6][0], &linhas[6][3]), (7, "7", "8"));
    humantime::parse_rfc3339(&linhas[0][1]).unwrap();

    let (json, _) = extrato(&caminho, Forma::Json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["integro"], true);
    let contas = ["inicial", "repostas", "vendidas", "restantes"].map(|chave| json[chave].as_u64());
    assert_eq!(contas, [10, 5, 7, 8].map(Some));
    assert_eq!(json["estoque"][1]["depois_da_venda"], 3);
    assert_eq!(json["vendas"].as_array().unwrap().len(), 7);
    assert_eq!(json["vendas"][6]["restante"], 8);
}

#[test]
fn um_livro_que_nao_fecha_ainda_se_le_e_o_extrato_o_diz() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    mexer(&caminho, "DELETE FROM vendas WHERE numero = 3");
    let (texto, veredito) = extrato(&caminho, Forma::Tabela);
    assert!(texto.contains("NÃO ESTÁ ÍNTEGRO: faltam vendas"), "{texto}");
    assert!(veredito.dano.is_some() && texto.contains("192.0.2.1:4000"), "{texto}");
    let (resumo, veredito) = extrato(&caminho, Forma::Resumo);
    assert!(
        veredito.dano.is_some() && resumo.contains("NÃO ESTÁ ÍNTEGRO: faltam vendas"),
        "{resumo}"
    );
    let (json, _) = extrato(&caminho, Forma::Json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["integro"], false);
}

/// O que se faz com um livro.
#[derive(Debug, Clone)]
enum Gesto {
    Vende(u64),
    Repoe(u64),
    RepoeAberto(u64),
    Reabre,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn todo_livro_fecha_seja_qual_for_a_historia(
        inicial in 0u64..50,
        gestos in proptest::collection::vec(
            prop_oneof![
                (1u64..30).prop_map(Gesto::Vende),
                (1u64..20).prop_map(Gesto::Repoe),
                (1u64..20).prop_map(Gesto::RepoeAberto),
                Just(Gesto::Reabre),
            ],
            0..12,
        ),
    ) {
        let (_pasta, caminho) = pasta();
        let mut livro = Some(Livro::abrir(&caminho, Some(inicial)).unwrap());
        let (mut repostas, mut vendidas) = (0, 0);
        for gesto in gestos {
            match gesto {
                Gesto::Vende(quantas) => {
                    let livro = livro.as_mut().unwrap();
                    let cabem = quantas.min(livro.contas().restantes());
                    vender(livro, cabem);
                    vendidas += cabem;
                }
                Gesto::Repoe(quantas) => {
                    drop(livro.take());
                    Livro::repor(&caminho, quantas).unwrap();
                    repostas += quantas;
                    livro = Some(Livro::abrir(&caminho, None).unwrap());
                }
                Gesto::RepoeAberto(quantas) => {
                    livro.as_mut().unwrap().acrescentar(quantas).unwrap();
                    repostas += quantas;
                }
                Gesto::Reabre => {
                    drop(livro.take());
                    livro = Some(Livro::abrir(&caminho, None).unwrap());
                }
            }
        }
        let esperadas = Contas { inicial, repostas, vendidas };
        prop_assert_eq!(livro.unwrap().contas(), esperadas);
        let (_, veredito) = extrato(&caminho, Forma::Tabela);
        prop_assert_eq!((veredito.contas, veredito.dano), (esperadas, None));
    }
}
