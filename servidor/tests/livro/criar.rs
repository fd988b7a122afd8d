//! Criar, os nomes e os formatos, e o que está estragado.

use super::*;

#[test]
fn uma_criacao_interrompida_se_le_como_tal_e_recomeca() {
    let (pasta, caminho) = pasta();
    // Um `-journal` que sobrou: o livro não tem vendas, e o SQLite desfaz o que ficou pela metade.
    livro_com_historia(&caminho);
    fs::write(pasta.path().join("vendas.db-journal"), [0; 512]).unwrap();
    let Err(Falha::Livro(erro)) = extrair(&caminho, Forma::Csv, &mut Vec::new()) else { panic!() };
    assert!(erro.to_string().contains("não acabou de ser criado"), "{erro}");
    assert!(Livro::abrir(&caminho, None).is_ok());
}

#[test]
fn o_que_nao_cabe_ou_nao_tem_pasta_nao_cria_nada() {
    let (pasta, caminho) = pasta();
    nao_abre(&caminho, Some(u64::MAX));
    let erro = nao_abre(&pasta.path().join("nao/ha.db"), None);
    assert!(erro.contains("a pasta do livro"), "{erro}");
    fs::write(&caminho, "").unwrap();
    assert!(Livro::repor(&caminho, 5).unwrap_err().to_string().contains("não existe"));
    assert_eq!(fs::read(&caminho).unwrap(), b"");
}

#[test]
fn o_nome_do_livro_pode_ter_o_que_o_sistema_deixar() {
    let pasta = tempfile::tempdir().unwrap();
    for nome in ["vendas de amanhã.db", "100%?immutable=0#x.db", "file:x.db"] {
        let caminho = pasta.path().join(nome);
        livro_com_historia(&caminho);
        assert_eq!(extrato(&caminho, Forma::Csv).1.contas.vendidas, 7, "{nome}");
        assert!(caminho.is_file(), "{nome}");
    }
}

#[test]
fn um_arquivo_vazio_vira_um_livro() {
    let (_pasta, caminho) = pasta();
    fs::write(&caminho, "").unwrap();
    let Err(Falha::Livro(erro)) = extrair(&caminho, Forma::Csv, &mut Vec::new()) else { panic!() };
    assert!(erro.to_string().contains("não é um livro"), "{erro}");
    assert_eq!(Livro::abrir(&caminho, Some(7)).unwrap().contas().inicial, 7);
}

#[test]
fn um_formato_mais_novo_nao_e_tocado() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    mexer(&caminho, "PRAGMA user_version = 3");
    let antes = fs::read(&caminho).unwrap();
    assert!(nao_abre(&caminho, None).contains("formato 3"));
    assert_eq!(fs::read(&caminho).unwrap(), antes);
}

#[test]
fn um_livro_que_nao_fecha_e_recusado_e_fica_como_estava() {
    for (estrago, dano) in [
        ("DELETE FROM vendas WHERE numero = 3", "faltam vendas"),
        ("UPDATE vendas SET restante = 9 WHERE numero = 2", "restante"),
        ("UPDATE vendas SET restante = restante + 1 WHERE numero > 3", "restante"),
        ("DELETE FROM estoque WHERE tipo = 'inicial'", "com quanto começou"),
        ("UPDATE estoque SET tipo = 'inicial'", "com quanto começou"),
        ("UPDATE estoque SET unidades = 6 WHERE tipo = 'reposicao'", "restante"),
        ("UPDATE estoque SET depois_da_venda = 9 WHERE tipo = 'reposicao'", "depois da última"),
        ("UPDATE estoque SET depois_da_venda = 1 WHERE tipo = 'inicial'", "restante"),
        ("UPDATE estoque SET unidades = -5 WHERE tipo = 'reposicao'", "quantidade negativa"),
        ("DROP TABLE vendas", "tabelas"),
        ("ALTER TABLE vendas RENAME restante TO sobra", "tabelas"),
        ("UPDATE estoque SET unidades = 9223372036854775807", ""),
    ] {
        let (_pasta, caminho) = pasta();
        livro_com_historia(&caminho);
        mexer(&caminho, &format!("PRAGMA ignore_check_constraints = on; {estrago}"));
        let antes = fs::read(&caminho).unwrap();
        let erro = nao_abre(&caminho, None);
        assert!(erro.contains("está danificado") && erro.contains(dano), "{estrago}: {erro}");
        assert_eq!(fs::read(&caminho).unwrap(), antes, "{estrago}");
        assert!(esta_so(&caminho), "{estrago}");
    }
}

#[test]
fn paginas_estragadas_sao_percebidas_e_ficam_como_estavam() {
    let (_pasta, caminho) = pasta();
    vender(&mut Livro::abrir(&caminho, Some(5000)).unwrap(), 4000);
    let sao = fs::read(&caminho).unwrap();
    for pagina in 1..sao.len() / 4096 {
        let mut estragado = sao.clone();
        estragado[pagina * 4096..(pagina + 1) * 4096].fill(0xAA);
        fs::write(&caminho, &estragado).unwrap();
        assert!(nao_abre(&caminho, None).contains("está danificado"), "página {pagina}");
        assert!(fs::read(&caminho).unwrap() == estragado, "mexeu na página {pagina}");
    }
    // E as de que as vendas não precisam: aqui, páginas livres que não há (fileformat2.html, 1.3.9).
    let mut estragado = sao.clone();
    estragado[36..40].copy_from_slice(&7u32.to_be_bytes());
    fs::write(&caminho, &estragado).unwrap();
    assert!(nao_abre(&caminho, None).contains("há páginas estragadas"));
    for tamanho in [100, 4096, 4097, sao.len() / 2, sao.len() - 1] {
        fs::write(&caminho, &sao[..tamanho]).unwrap();
        assert!(nao_abre(&caminho, None).contains("está danificado"), "{tamanho} bytes");
        assert!(fs::read(&caminho).unwrap() == sao[..tamanho]);
    }
}
