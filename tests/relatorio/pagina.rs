//! A página: o que diz e o que desenha.

use super::*;

#[test]
fn a_pagina_de_um_servidor_certo_diz_o_que_houve_em_um_arquivo_so() {
    let servidor = Servidor::abrir(&[]);
    let relatos = Relatos::de(servidor.endereco(), "--usuarios 60 --ciclos 2 --exigir vendas=10");
    let (html, json, fim) = (relatos.html(), relatos.json(), &relatos.fim);
    pagina_inteira(&html, 5);
    let texto = lida(&html);
    let semente = conta(fim, "semente").to_string();
    let recusas = conta(fim, "recusas");
    for parte in [
        ">CONSISTENTE<",
        json["comando"].as_str().unwrap(),
        &format!("<td class=\"nome\">semente</td><td>{semente}</td>"),
        &format!("Em 120 consultas, 10 vendas e {recusas} recusas, nada"),
        &format!("<dt>AVISOs</dt><dd>{}</dd>", conta(fim, "AVISOs")),
        "<dt>ciclos</dt><dd>120</dd>",
        "Exigência cumprida: vendas=10 (10)",
        "40 dos 60 usuários, do começo",
        "sem --estoque, não se afirma",
    ] {
        assert!(texto.contains(parte), "falta {parte}");
    }
    assert!(!html.contains("INCONSISTENTE") && !html.contains("As contradições"), "{html}");
    assert!(!html.contains("As falhas") && !html.contains("interrompida"), "{html}");
    // O que o comando tem de perigoso (o nome da pasta) só aparece escapado.
    assert!(!html.contains("<b>") && html.contains("&#60;b&#62;&#38;amp;"), "{html}");
    // As latências são as do terminal.
    for (nome, chave) in [("CONSULTAR", "consultar"), ("COMPRAR", "comprar")] {
        let linha = fim.saida.lines().find(|l| l.trim().starts_with(nome)).unwrap();
        let tempos: Vec<&str> = linha.trim().split("  ").map(str::trim).collect();
        let tempos = tempos[1..].iter().filter(|tempo| !tempo.is_empty());
        let celulas: String = tempos.map(|tempo| format!("<td class=\"n\">{tempo}</td>")).collect();
        let amostras = &json["resumo"]["latencias"][chave]["amostras"];
        let celulas = format!("<td>{nome}</td><td class=\"n\">{amostras}</td>{celulas}");
        assert!(html.contains(&celulas), "falta {celulas}");
    }
    assert_eq!(palavras_em_ingles(&so_texto(&html)), [""; 0]);
}

/// Os valores do atributo `nome` nas etiquetas que começam por `inicio` e contêm `cor`.
fn atributos(svg: &str, inicio: &str, cor: &str, nome: &str) -> Vec<f64> {
    let etiquetas = svg.split('<').filter(|e| e.starts_with(inicio) && e.contains(cor));
    let valor = |etiqueta: &str| {
        let (_, resto) = etiqueta.split_once(&format!(" {nome}=\"")).unwrap();
        resto.split_once('"').unwrap().0.parse().unwrap()
    };
    etiquetas.map(valor).collect()
}

/// Os pontos de cada linha desta cor, em pixels.
fn linhas<'a>(svg: &'a str, cor: &'a str) -> impl Iterator<Item = Vec<(i32, i32)>> + 'a {
    let etiquetas = svg.split('<').filter(move |e| e.starts_with("polyline") && e.contains(cor));
    let ponto = |par: &str| {
        let (x, y) = par.split_once(',').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    etiquetas.map(move |etiqueta| {
        let (_, pontos) = etiqueta.split_once("points=\"").unwrap();
        let (pontos, _) = pontos.split_once('"').unwrap();
        pontos.split_whitespace().map(ponto).collect()
    })
}

/// A única linha desta cor.
fn linha(svg: &str, cor: &str) -> Vec<(i32, i32)> {
    linhas(svg, cor).next().unwrap()
}

#[test]
fn cada_ponto_dos_graficos_e_algo_que_aconteceu() {
    const CONSULTA: &str = "#0969DA";
    const COMPRA: &str = "#1A7F37";
    const RECUSA: &str = "#BC4C00";
    const AVISO: &str = "#8250DF";
    let servidor = Servidor::abrir(&[]);
    // Poucos usuários e dois ciclos: cabem todos, do começo ao fim.
    let relatos = Relatos::de(servidor.endereco(), "--usuarios 20 --ciclos 2 --decisao 1s..10s");
    let (html, fim) = (relatos.html(), &relatos.fim);
    assert!(html.contains("Todos os usuários, do começo a "), "{html}");
    for tela in ["larga", "estreita"] {
        let estoque = grafico(&html, "O estoque, venda a venda", tela);
        let (xs, ys) = (
            atributos(estoque, "circle", COMPRA, "cx"),
            atributos(estoque, "circle", COMPRA, "cy"),
        );
        assert_eq!(xs.len(), 10, "uma bola por venda");
        assert!(xs.is_sorted() && ys.is_sorted_by(|a, b| a < b), "o estoque desce: {xs:?} {ys:?}");

        let usuarios = grafico(&html, "O que cada usuário viveu", tela);
        let bolas = |cor| atributos(usuarios, "circle", cor, "cx").len() as u64;
        let vistas = (bolas(CONSULTA), bolas(COMPRA), bolas(RECUSA));
        let contadas = (conta(fim, "consultas"), conta(fim, "vendas"), conta(fim, "recusas"));
        assert_eq!(vistas, contadas, "{tela}");
        let riscos = |etiqueta: &str, cor: &str| {
            usuarios.split('<').filter(|e| e.starts_with(etiqueta) && e.contains(cor)).count()
        };
        assert_eq!(riscos("polygon", AVISO) as u64, conta(fim, "AVISOs"), "{tela}");
        assert_eq!(riscos("polyline", AVISO), 1, "o esgotamento, de cima a baixo");
        // Uma linha por usuário, na altura do número dele: decidiu e escutou duas vezes cada um.
        assert_eq!(riscos("polyline", "#A5C8FF"), 40, "{tela}");
        assert_eq!(riscos("polyline", "#DDE1E6"), 40, "{tela}");
        let mut alturas = atributos(usuarios, "circle", CONSULTA, "cy");
        alturas.dedup();
        assert!(alturas.len() == 20 && alturas.is_sorted(), "{tela}: {alturas:?}");

        // Decide-se a partir da resposta a CONSULTAR; escuta-se a partir da de COMPRAR.
        let mut consultas = atributos(usuarios, "circle", CONSULTA, "cx");
        let mut decisoes: Vec<f64> = linhas(usuarios, "#A5C8FF").map(|l| l[0].0.into()).collect();
        consultas.sort_unstable_by(f64::total_cmp);
        decisoes.sort_unstable_by(f64::total_cmp);
        assert_eq!(consultas, decisoes, "{tela}");
        // O esgotamento é a chegada da resposta de quem levou a última.
        let mut chegadas: Vec<(f64, i64)> = lista(&relatos.json()["vendas"])
            .iter()
            .map(|v| (v["chegou_s"].as_f64().unwrap(), v["restante"].as_i64().unwrap()))
            .collect();
        chegadas.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let ultima = chegadas.iter().position(|(_, restante)| *restante == 0).unwrap();
        let mut compras = atributos(usuarios, "circle", COMPRA, "cx");
        compras.sort_unstable_by(f64::total_cmp);
        assert_eq!(f64::from(linha(usuarios, AVISO)[0].0), compras[ultima], "{tela}");

        // As curvas sobem de 0% a 100%: embaixo, o y é maior.
        let aviso = linha(grafico(&html, "Como o AVISO se espalhou", tela), AVISO);
        let mut degraus: Vec<i32> = aviso.iter().map(|(_, y)| *y).collect();
        degraus.dedup();
        assert_eq!(degraus.len() as u64, conta(fim, "AVISOs") + 1, "{tela}: {degraus:?}");
        let latencias = grafico(&html, "Quanto demoraram as respostas", tela);
        for curva in [aviso, linha(latencias, CONSULTA), linha(latencias, COMPRA)] {
            assert!(curva.is_sorted_by(|a, b| a.0 <= b.0 && a.1 >= b.1), "{tela}: {curva:?}");
            assert!(curva.last().unwrap().1 < 30, "chega aos 100%: {curva:?}");
        }
        let vazao = grafico(&html, "Respostas por segundo", tela);
        let barras = atributos(vazao, "rect", CONSULTA, "height").len();
        assert_eq!(barras, lista(&relatos.json()["vazao"]["respostas"]).len(), "{tela}");
    }
}

#[test]
fn a_pagina_de_um_servidor_errado_desenha_a_contradicao() {
    let relatos = Relatos::de(quem_vende_sempre_a_mesma(), "--usuarios 3 --ciclos 1 --estoque 10");
    let (html, json, fim) = (relatos.html(), relatos.json(), &relatos.fim);
    let violacoes = lista(&json["violacoes"]);
    // De cada uma, as barras e o diagrama.
    pagina_inteira(&html, 4 + 2 * violacoes.len());
    let texto = lida(&html);
    assert!(texto.contains(">INCONSISTENTE<") && !html.contains(">CONSISTENTE<"), "{html}");
    assert!(violacoes.len() >= 2, "{json:#}");
    assert!(texto.contains(&format!("São {}, na ordem", violacoes.len())), "{html}");
    for violacao in violacoes {
        let frase = violacao["texto"].as_str().unwrap();
        assert!(texto.contains(&format!("<strong>{frase}</strong>")), "{frase}");
    }
    // O desenho do terminal, e o da página: as mesmas provas, com os mesmos instantes.
    let (_, desenho) = fim.saida.split_once("A primeira contradição, no tempo:\n").unwrap();
    let (desenho, _) = desenho.split_once("\n\n").unwrap();
    assert_eq!(desenho.lines().count(), 2, "{desenho}");
    assert!(desenho.lines().all(|linha| linha.chars().count() <= 80), "{desenho}");
    for prova in lista(&violacoes[0]["provas"]) {
        let usuario = format!("usuário {}", prova["usuario"]);
        let ouvido = prova["ouvido"].as_str().unwrap();
        let chegou = format!("{:.6} s", prova["chegou_s"].as_f64().unwrap()).replace('.', ",");
        let linha = desenho.lines().find(|linha| linha.contains(&format!("{usuario} "))).unwrap();
        assert!(linha.contains(ouvido) && linha.contains(['├', '│']), "{linha}");
        assert!(linha.ends_with(&chegou), "{linha}: {chegou}");
        assert!(texto.contains(&format!("{usuario} pediu COMPRAR: {ouvido}, ")), "{usuario}");
        for tela in ["larga", "estreita"] {
            let svg = contradicoes(&html, tela).next().unwrap();
            for parte in [&usuario, ouvido, &chegou] {
                assert!(svg.contains(parte), "{tela}: falta {parte} em {svg}");
            }
            assert_eq!(atributos(svg, "rect", "#1A7F37", "width").len(), 2, "uma barra por compra");
        }
    }
    assert!(texto.contains("Cada contradição acima é certa"), "{html}");
}

#[test]
fn a_curva_do_aviso_que_nao_chega_a_todos_diz_quem_sao_os_outros() {
    // Vende uma unidade, e só avisa as duas conexões seguintes que a pedem.
    let mut pedidas = 0;
    let endereco = servidor_que(move |comando| {
        if comando == "CONSULTAR" {
            return format!("Estoque atual: {}\n", i32::from(pedidas == 0));
        }
        pedidas += 1;
        match pedidas {
            1 => "Compra realizada. Estoque restante: 0\n".into(),
            2 | 3 => "ERRO: Produto esgotado\nAVISO: O estoque acabou de esgotar!\n".into(),
            _ => "ERRO: Produto esgotado\n".into(),
        }
    });
    // Todos consultam bem antes da venda, e ficam bem depois da tolerância.
    let opcoes = "--usuarios 5 --ciclos 1 --decisao 100s --escuta 200s";
    let relatos = Relatos::de(endereco, opcoes);
    let html = relatos.html();
    assert!(html.contains("3 não ouviram: estavam e nada chegou."), "{html}");
    for tela in ["larga", "estreita"] {
        let curva = linha(grafico(&html, "Como o AVISO se espalhou", tela), "#8250DF");
        let (base, topo) = (curva[0].1, curva.last().unwrap().1);
        // Dois de cinco: a altura de um gráfico que chega a 100% é de uns 200 pixels.
        assert!((60..110).contains(&(base - topo)), "{tela}: {curva:?}");
    }
    // Se todos ouvem, não se fala em outros.
    let servidor = Servidor::abrir(&[]);
    let html = Relatos::de(servidor.endereco(), "--usuarios 5 --ciclos 3").html();
    assert!(html.contains("Como o AVISO se espalhou") && !html.contains("não ouvi"), "{html}");
}

#[test]
fn muitas_contradicoes_sao_contadas_e_so_as_primeiras_desenhadas() {
    let relatos = Relatos::de(quem_vende_sempre_a_mesma(), "--usuarios 60 --ciclos 3");
    let (html, json) = (relatos.html(), relatos.json());
    let total = json["contradicoes"].as_u64().unwrap();
    assert!(total > 100, "{total}");
    assert_eq!(lista(&json["violacoes"]).len(), 100);
    assert!(html.contains(&format!("São {total}; aqui, as primeiras 20 a aparecer.")), "{html}");
    // As barras e o diagrama de cada uma.
    assert_eq!(contradicoes(&html, "larga").count(), 40);
    let quando: Vec<f64> =
        lista(&json["violacoes"]).iter().map(|v| v["quando_s"].as_f64().unwrap()).collect();
    assert!(quando.is_sorted(), "a primeira a aparecer vem antes: {quando:?}");
}

#[test]
fn nada_do_que_o_servidor_diz_vira_codigo_na_pagina() {
    let relatos = Relatos::de(quem_responde_estranho(), "--usuarios 2 --ciclos 2 --estoque 5");
    let html = relatos.html();
    assert!(!html.contains("<script") && !html.contains("alert(1)</"), "{html}");
    assert!(!html.contains("alert(2)</") && !html.contains('\u{1b}'), "{html}");
    etiquetas_fecham(&html);
    assert!(html.contains("<td>resposta fora do protocolo</td><td class=\"n\">4</td>"), "{html}");
    assert!(html.contains("As falhas"), "{html}");
}

#[test]
fn um_numero_enorme_do_servidor_nao_quebra_os_arquivos() {
    let enorme = "170141183460469231731687303715884105727";
    let endereco = servidor_que(move |comando| match comando {
        "CONSULTAR" => format!("Estoque atual: {enorme}\n"),
        _ => format!("Compra realizada. Estoque restante: -{enorme}\n"),
    });
    let relatos = Relatos::de(endereco, "--usuarios 2 --ciclos 2 --estoque 10");
    assert_eq!(relatos.fim.codigo, Some(3), "{:?}", relatos.fim);
    let json = relatos.json();
    assert_eq!(json["vendas"][0]["restante"], format!("-{enorme}"), "um texto, e não outro número");
    assert_eq!(quantas(&relatos.csv(), "COMPRAR", "comprou"), 4);
    let html = relatos.html();
    pagina_inteira(&html, 4 + 2 * lista(&json["violacoes"]).len());
    // As vendas abaixo de zero têm outra cor.
    let estoque = grafico(&html, "O estoque, venda a venda", "larga");
    assert_eq!(atributos(estoque, "circle", "#CF222E", "cx").len(), 4);
}
