//! `cliente comparar`: dois relatórios lado a lado, e o código de saída que diz se o segundo é pior.

use super::*;

/// Uma pasta com o relatório de uma multidão contra o servidor de verdade, `a.json`.
fn relatado() -> (TempDir, Value) {
    let pasta = tempfile::tempdir().unwrap();
    let servidor = Servidor::abrir(&[]);
    let a = pasta.path().join("a.json");
    let opcoes = format!("--usuarios 5 --ciclos 2 --json {}", a.display());
    assert_eq!(multidao(servidor.endereco(), &opcoes).codigo, Some(0));
    let json = serde_json::from_str(&fs::read_to_string(a).unwrap()).unwrap();
    (pasta, json)
}

/// O relatório de um laço aberto, que se comparou com ele mesmo: uns pedidos esperaram por um usuário.
fn relatado_aberto() -> (TempDir, Value) {
    let pasta = tempfile::tempdir().unwrap();
    let servidor = Servidor::abrir(&[]);
    let a = pasta.path().join("a.json");
    let opcoes =
        format!("--servidor {} --usuarios 5 --taxa 100/s --durante 1s --json", servidor.endereco());
    let mut comando = comando("cliente", opcoes.split(' '));
    comando.arg(&a);
    assert_eq!(Processo::iniciar(comando).termino().codigo, Some(0));
    let json = serde_json::from_str(&fs::read_to_string(a).unwrap()).unwrap();
    (pasta, json)
}

/// A linha da tabela com este nome.
fn linha<'a>(fim: &'a Termino, nome: &str) -> &'a str {
    let dela = |linha: &&str| linha.trim_start().starts_with(&format!("{nome}  "));
    fim.saida.lines().find(dela).unwrap_or_else(|| panic!("sem '{nome}': {}", fim.saida))
}

/// Compara `a.json` com este documento, que se escreve em `b.json`.
fn comparado(pasta: &TempDir, b: &str, opcoes: &[&str]) -> Termino {
    let arquivos = ["a.json", "b.json"].map(|nome| pasta.path().join(nome));
    fs::write(&arquivos[1], b).unwrap();
    let mut comando = comando("cliente", ["comparar"]);
    comando.args(&arquivos).args(opcoes);
    Processo::iniciar(comando).termino()
}

#[test]
fn um_relatorio_nao_e_pior_que_ele_mesmo() {
    let (pasta, json) = relatado();
    let fim = comparado(&pasta, &json.to_string(), &["--tolerancia", "0%"]);
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
    assert!(fim.saida.contains("Conclusão: nada piorou além da tolerância"), "{fim:?}");
    assert!(!fim.saida.contains("Não se pediu o mesmo"), "{fim:?}");
}

#[test]
fn o_que_piora_alem_da_tolerancia_se_diz_e_o_codigo_e_4() {
    let (pasta, mut json) = relatado();
    let p99 = json["resumo"]["latencias"]["comprar"]["p99_s"].as_f64().unwrap();
    json["resumo"]["latencias"]["comprar"]["p99_s"] = (p99 * 1.5).into();
    json["vereditos"]["estoque"]["veredito"] = "inconsistente".into();
    json["parametros"]["usuarios"] = 6.into();
    let fim = comparado(&pasta, &json.to_string(), &[]);
    assert_eq!(fim.codigo, Some(4), "{fim:?}");
    let pioraram = "Conclusão: piorou além da tolerância: veredito do estoque, p99 de COMPRAR\n";
    assert!(fim.saida.contains(pioraram), "{fim:?}");
    assert!(fim.saida.contains("Não se pediu o mesmo às duas: usuarios: 5 e 6"), "{fim:?}");
    // Com mais tolerância, só o veredito, que não é um número.
    let fim = comparado(&pasta, &json.to_string(), &["--tolerancia", "60%"]);
    assert_eq!(fim.codigo, Some(4), "{fim:?}");
    assert!(fim.saida.contains("tolerância: veredito do estoque\n"), "{fim:?}");
}

#[test]
fn no_laco_aberto_cobram_se_as_latencias_da_hora_marcada_e_quem_ninguem_atendeu() {
    let (pasta, mut json) = relatado_aberto();
    let fim = comparado(&pasta, &json.to_string(), &["--tolerancia", "0%"]);
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
    assert!(linha(&fim, "taxa oferecida").ends_with("igual"), "{fim:?}");
    let marcadas = json["resumo"]["chegadas"]["marcadas"].to_string();
    for nome in ["chegadas marcadas", "chegadas atendidas"] {
        assert_eq!(linha(&fim, nome).matches(&format!(" {marcadas}")).count(), 2, "{fim:?}");
    }
    assert!(!fim.saida.contains("pedidos numerados"), "{fim:?}");

    // A parada que só se vê da hora marcada.
    let resumo = &mut json["resumo"];
    let pior = |tempo: &mut Value| *tempo = (tempo.as_f64().unwrap() * 9.0).into();
    pior(&mut resumo["latencias"]["consultar"]["p99_s"]);
    pior(&mut resumo["latencias_do_envio"]["comprar"]["p99_s"]);
    resumo["chegadas"]["esperaram_usuario"] = 90.into();
    resumo["chegadas"]["fila_cheia_s"] = 0.7.into();
    resumo["chegadas"]["enviadas"] = 1.into();
    let fim = comparado(&pasta, &json.to_string(), &[]);
    let pioraram = "Conclusão: piorou além da tolerância: taxa oferecida, desistiram de esperar, \
                    p99 de CONSULTAR, da hora marcada\n";
    assert!(fim.codigo == Some(4) && fim.saida.contains(pioraram), "{fim:?}");
    assert!(linha(&fim, "taxa oferecida").contains("não alcançada"), "{fim:?}");
    assert!(linha(&fim, "esperaram por um usuário").contains(" 90"), "{fim:?}");
    assert!(linha(&fim, "p99 de COMPRAR, do envio").contains("800,0%"), "{fim:?}");
}

#[test]
fn entre_um_laco_aberto_e_um_fechado_as_latencias_nao_se_cobram() {
    let (pasta, fechado) = relatado();
    let (_, mut aberto) = relatado_aberto();
    // O resto é como no outro: uma multidão assim vê o esgotamento de outro modo.
    aberto["vereditos"] = fechado["vereditos"].clone();
    aberto["resumo"]["espalhamento_s"] = fechado["resumo"]["espalhamento_s"].clone();
    aberto["resumo"]["vazao"] = 0.001.into();
    for latencias in ["latencias", "latencias_do_envio"] {
        aberto["resumo"][latencias]["comprar"]["p99_s"] = 9.0.into();
    }
    let fim = comparado(&pasta, &aberto.to_string(), &[]);
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
    let dito =
        "Não se pediu o mesmo às duas: chegadas: laço fechado e laço aberto (100/s por 1s)\n";
    assert!(fim.saida.contains(dito) && !fim.saida.contains("null"), "{fim:?}");
    assert!(linha(&fim, "p99 de COMPRAR, do envio").contains("9,00 s"), "{fim:?}");
    assert!(!fim.saida.contains("da hora marcada"), "{fim:?}");
}

#[test]
fn as_compras_numeradas_se_comparam_e_uma_duvida_a_mais_se_cobra() {
    let pasta = tempfile::tempdir().unwrap();
    let servidor = Servidor::abrir(&[]);
    let a = pasta.path().join("a.json");
    let opcoes = format!("--usuarios 5 --ciclos 4 --pedidos --json {}", a.display());
    assert_eq!(multidao(servidor.endereco(), &opcoes).codigo, Some(0));
    let mut json: Value = serde_json::from_str(&fs::read_to_string(a).unwrap()).unwrap();
    json["resumo"]["pedidos"]["insistidos"] = 7.into();
    json["resumo"]["sem_resposta"]["comprar"] = 1.into();
    let fim = comparado(&pasta, &json.to_string(), &[]);
    let pioraram = "piorou além da tolerância: sem resposta, compras desconhecidas\n";
    assert!(fim.codigo == Some(4) && fim.saida.contains(pioraram), "{fim:?}");
    assert_eq!(linha(&fim, "pedidos numerados").matches(" 20").count(), 2, "{fim:?}");
    assert!(linha(&fim, "perguntados de novo").contains(" 7"), "{fim:?}");
}

#[test]
fn a_pagina_da_comparacao_desenha_as_duas_e_cabe_na_tela() {
    let (pasta, mut json) = relatado();
    json["resumo"]["vazao"] = 1.into();
    json["comando"] = "<script>alert(1)</script>".into();
    let pagina = pasta.path().join("ab.html");
    let opcoes = ["--relatorio", pagina.to_str().unwrap()];
    let fim = comparado(&pasta, &json.to_string(), &opcoes);
    assert_eq!(fim.codigo, Some(4), "{fim:?}");
    let html = fs::read_to_string(&pagina).unwrap();
    assert!(html.contains("respostas por segundo") && !html.contains("<script"), "{html}");
    assert!(html.matches("fill=\"#0969DA\"").count() >= 10, "{html}");
    etiquetas_fecham(&html);
    navegador::cabe_na_tela(&pagina);
}

#[test]
fn um_arquivo_que_nao_e_relatorio_e_explicado_em_uma_linha() {
    let (pasta, json) = relatado();
    let outra_versao = {
        let mut outra = json.clone();
        outra["formato"] = 1.into();
        outra.to_string()
    };
    let sem_resumo = {
        let mut outra = json;
        outra["resumo"].as_object_mut().unwrap().remove("vazao");
        outra.to_string()
    };
    let laudo = r#"{"formato": 1, "nota": 10, "itens": []}"#;
    for (texto, pista) in [
        ("oi", "não é um relatório da multidão"),
        ("[1]", "não é um relatório da multidão"),
        ("{}", "não é um relatório da multidão"),
        (laudo, "é um laudo de 'cliente avaliar'"),
        (&outra_versao, "está no formato 1, e este programa lê o 2"),
        (&sem_resumo, "incompleto"),
    ] {
        let fim = comparado(&pasta, texto, &[]);
        assert_eq!(fim.codigo, Some(1), "{texto}: {fim:?}");
        assert!(fim.erro.contains(pista) && fim.erro.contains("b.json"), "{texto}: {fim:?}");
        assert_eq!(fim.erro.lines().count(), 1, "{fim:?}");
    }
    let fim = Processo::iniciar(comando("cliente", ["comparar", "/nao/ha.json", "b"])).termino();
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    assert!(fim.erro.contains("não posso ler '/nao/ha.json'"), "{fim:?}");
}

#[test]
fn a_ajuda_da_comparacao_e_em_portugues_e_diz_os_codigos() {
    let fim = Processo::iniciar(comando("cliente", ["comparar", "--help"])).termino();
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
    assert!(
        fim.saida.contains("--tolerancia") && fim.saida.contains("  4    alguma linha piorou"),
        "{fim:?}"
    );
    assert_eq!(palavras_em_ingles(&fim.saida), Vec::<&str>::new(), "{fim:?}");
    let fim = Processo::iniciar(comando("cliente", ["comparar", "a", "b", "--tolerancia", "x"]))
        .termino();
    assert_eq!(fim.codigo, Some(2), "{fim:?}");
    assert!(fim.erro.contains("esperava uma porcentagem"), "{fim:?}");
}
