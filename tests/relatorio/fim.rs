//! O que muda o código de saída, e o que fica quando algo impede de escrever.

use super::*;

#[test]
fn exigencia_cumprida_e_dita_e_sai_com_0() {
    let servidor = Servidor::abrir(&[]);
    let relatos = Relatos::de(
        servidor.endereco(),
        "--usuarios 10 --ciclos 2 --exigir vendas=10 --exigir p99(comprar)<1h --exigir falhas<=0 \
         --exigir ciclos>=20 --exigir MAX(Consultar)>1ns",
    );
    let Relatos { fim, .. } = &relatos;
    assert_eq!((fim.codigo, veredito(fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    let ditas: Vec<&str> = fim.saida.lines().filter(|l| l.starts_with("Exigência")).collect();
    let [vendas, p99, falhas, ciclos, maximo] = ditas[..] else { panic!("{fim:?}") };
    assert_eq!(vendas, "Exigência cumprida: vendas=10 (10)");
    assert!(p99.starts_with("Exigência cumprida: p99(comprar)<1h ("), "{p99}");
    assert_eq!(falhas, "Exigência cumprida: falhas<=0 (0)");
    assert_eq!(ciclos, "Exigência cumprida: ciclos>=20 (20)");
    assert!(maximo.starts_with("Exigência cumprida: MAX(Consultar)>1ns ("), "{maximo}");
    let json = relatos.json();
    let textos: Vec<_> = lista(&json["exigencias"]).iter().map(|e| &e["texto"]).collect();
    let escritos =
        ["vendas=10", "p99(comprar)<1h", "falhas<=0", "ciclos>=20", "MAX(Consultar)>1ns"];
    assert_eq!(textos, escritos);
    assert!(lista(&json["exigencias"]).iter().all(|e| e["cumprida"] == true), "{json:#}");
}

#[test]
fn uma_exigencia_que_falha_entre_varias_sai_com_4() {
    let servidor = Servidor::abrir(&["--estoque", "0"]);
    let relatos = Relatos::de(
        servidor.endereco(),
        "--usuarios 5 --ciclos 2 --exigir falhas=0 --exigir vendas>0 --exigir espalhamento<1h \
         --exigir p50(comprar)<1ns",
    );
    let Relatos { fim, .. } = &relatos;
    // Que o servidor está certo continua dito, e por último.
    assert_eq!((fim.codigo, veredito(fim)), (Some(4), "Veredito: CONSISTENTE"), "{fim:?}");
    for linha in [
        "Exigência cumprida: falhas=0 (0)\n",
        "Exigência NÃO CUMPRIDA: vendas>0 (0)\n",
        "Exigência NÃO CUMPRIDA: espalhamento<1h (nada a medir)\n",
        "Exigência NÃO CUMPRIDA: p50(comprar)<1ns (",
    ] {
        assert!(fim.saida.contains(linha), "{linha}: {}", fim.saida);
    }
    let json = relatos.json();
    let cumpridas: Vec<_> = lista(&json["exigencias"]).iter().map(|e| &e["cumprida"]).collect();
    assert_eq!(cumpridas, [true, false, false, false]);
    assert_eq!(json["exigencias"][2]["medido"], Value::Null);
    // Nem venda nem AVISO: os dois gráficos deles não há, e a página continua inteira.
    let html = relatos.html();
    pagina_inteira(&html, 3);
    for linha in fim.saida.lines().filter(|linha| linha.starts_with("Exigência")) {
        assert!(lida(&html).contains(linha), "{linha}");
    }
}

#[test]
fn com_o_estoque_certo_nada_falta_e_com_outro_a_auditoria_ve() {
    for (estoque, codigo, regra) in
        [(10, 0, None), (12, 3, Some("unidade-sumiu")), (9, 3, Some("acima-do-inicial"))]
    {
        let servidor = Servidor::abrir(&[]);
        let opcoes = format!("--usuarios 10 --ciclos 2 --estoque {estoque}");
        let relatos = Relatos::de(servidor.endereco(), &opcoes);
        assert_eq!(relatos.fim.codigo, Some(codigo), "{estoque}: {:?}", relatos.fim);
        let json = relatos.json();
        assert_eq!(json["parametros"]["estoque"], estoque);
        assert_eq!(json["violacoes"][0]["regra"].as_str(), regra, "{json:#}");
    }
}

#[test]
fn sem_dizer_o_estoque_nao_se_acusa_a_falta_de_ninguem() {
    let servidor = Servidor::abrir(&[]);
    let mut outro = servidor.cliente();
    assert!(outro.pede("COMPRAR").starts_with("Compra realizada"));
    let sem = multidao(servidor.endereco(), "--usuarios 10 --ciclos 2");
    assert_eq!((sem.codigo, conta(&sem, "vendas")), (Some(0), 9), "{sem:?}");
}

/// Executa o cliente com um arquivo em que não se pode escrever: o que ele disse do arquivo.
fn queixa(fim: &Termino, caminho: &Path, opcao: &str) -> String {
    let queixas: Vec<&str> =
        fim.erro.lines().filter(|l| l.contains("não posso escrever")).collect();
    let [queixa] = queixas[..] else { panic!("uma linha só: {fim:?}") };
    assert!(queixa.starts_with("cliente: "), "{queixa}");
    assert!(queixa.contains(&format!("'{}'", caminho.display())), "{queixa}");
    assert!(queixa.ends_with(&format!("confira {opcao}")), "{queixa}");
    let sem_caminho = queixa.replace(&caminho.display().to_string(), "");
    assert_eq!(palavras_em_ingles(&sem_caminho), [""; 0], "{queixa}");
    queixa.into()
}

#[test]
fn um_caminho_impossivel_e_dito_antes_de_chegar_ao_servidor() {
    let pasta = Relatos::pasta();
    for opcao in ["--relatorio", "--json", "--csv"] {
        for (caminho, porque) in [
            (pasta.path().join("nao/existe"), "não existe"),
            (pasta.path().to_path_buf(), "é um diretório"),
        ] {
            let mut servidor = Servidor::abrir(&[]);
            let mut comando = comando("cliente", argumentos(servidor.endereco(), "--usuarios 2"));
            comando.arg(opcao).arg(&caminho);
            let fim = Processo::iniciar(comando).termino();
            assert_eq!((fim.codigo, fim.saida.as_str()), (Some(1), ""), "{fim:?}");
            assert_eq!(fim.erro.lines().count(), 1, "{fim:?}");
            assert!(queixa(&fim, &caminho, opcao).contains(porque), "{fim:?}");
            assert_eq!(servidor.encerrar().conta("conexões atendidas"), 0, "{opcao}");
        }
    }
}

#[test]
fn sem_espaco_no_disco_no_meio_da_escrita_a_causa_tambem_e_dita() {
    // Mais do que cabe no que se junta antes de escrever: o erro vem no meio, e não só no fim.
    let servidor = Servidor::abrir(&["--silencioso"]);
    let opcoes = "--usuarios 2 --ciclos 500 --decisao 0s --escuta 0s --csv /dev/full";
    let fim = multidao(servidor.endereco(), opcoes);
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    let queixa = queixa(&fim, Path::new("/dev/full"), "--csv");
    assert!(queixa.contains("não há espaço no disco"), "{queixa}");
}

#[test]
fn sem_espaco_no_disco_o_veredito_ainda_e_dito() {
    let cheio = Path::new("/dev/full");
    for opcao in ["--csv", "--json", "--relatorio"] {
        let servidor = Servidor::abrir(&[]);
        let opcoes = format!("--usuarios 5 --ciclos 2 --exigir vendas<0 {opcao} /dev/full");
        let fim = multidao(servidor.endereco(), &opcoes);
        // Nem a exigência que falhou esconde que o arquivo não foi escrito.
        assert_eq!((fim.codigo, veredito(&fim)), (Some(1), "Veredito: CONSISTENTE"), "{fim:?}");
        assert!(queixa(&fim, cheio, opcao).contains("não há espaço no disco"), "{fim:?}");
        assert_eq!(fim.erro.lines().count(), 2, "a de abertura e a queixa: {fim:?}");
        // Mas um servidor errado é mais grave que um disco cheio.
        let opcoes = format!("--usuarios 2 --ciclos 1 {opcao} /dev/full");
        let fim = multidao(quem_vende_sempre_a_mesma(), &opcoes);
        assert_eq!(fim.codigo, Some(3), "{fim:?}");
        queixa(&fim, cheio, opcao);
    }
}

#[test]
fn interrompida_a_multidao_ainda_escreve_o_que_viu() {
    let (avisar, pedidos) = mpsc::channel();
    // Responde às consultas e cala diante das compras: ao parar, há pedidos sem resposta.
    let endereco = servidor_que(move |comando| match comando {
        "CONSULTAR" => "Estoque atual: 5\n".into(),
        _ => {
            avisar.send(()).unwrap();
            String::new()
        }
    });
    let pasta = Relatos::pasta();
    let opcoes = "--usuarios 4 --ciclos 7 --exigir vendas>0";
    let mut cliente = Processo::iniciar(Relatos::comando(&pasta, endereco, opcoes));
    for _ in 0..4 {
        pedidos.recv_timeout(PRAZO).unwrap();
    }
    cliente.sinal(Signal::INT);
    let relatos = Relatos { pasta, fim: cliente.termino() };
    // A exigência não se cumpriu porque a multidão não terminou: o 130 diz melhor.
    assert_eq!(relatos.fim.codigo, Some(130), "{:?}", relatos.fim);
    let json = relatos.json();
    let resumo = &json["resumo"];
    assert_eq!((&resumo["interrompida"], &resumo["ciclos"]), (&true.into(), &0.into()));
    assert_eq!((&resumo["ciclos_previstos"], &resumo["consultas"]), (&28.into(), &4.into()));
    assert_eq!(resumo["latencias"]["comprar"], Value::Null);
    assert_eq!((&resumo["espalhamento_s"], &json["consistente"]), (&Value::Null, &Value::Null));
    assert_eq!(resumo["sem_resposta"], serde_json::json!({ "consultar": 0, "comprar": 4 }));
    let linhas = relatos.csv();
    assert_eq!(quantas(&linhas, "CONSULTAR", "leu"), 4);
    assert_eq!(quantas(&linhas, "COMPRAR", "sem-resposta"), 4);
    let sem_resposta = linhas.iter().filter(|linha| linha.resultado == "sem-resposta");
    assert!(sem_resposta.clone().all(|linha| linha.chegou.is_none()), "{linhas:?}");
    let html = relatos.html();
    pagina_inteira(&html, 3);
    assert!(html.contains("interrompida: os números são parciais"), "{html}");
    assert!(html.contains("<dt>ciclos</dt><dd>0 de 28</dd>"), "{html}");
}

#[test]
fn interrompida_depois_de_uma_contradicao_ainda_sai_com_3() {
    let (avisar, pedidos) = mpsc::channel();
    // Vende a mesma unidade duas vezes e depois cala.
    let mut vendas = 0;
    let endereco = servidor_que(move |comando| match (comando, vendas) {
        ("CONSULTAR", ..=1) => "Estoque atual: 10\n".into(),
        ("COMPRAR", ..=1) => {
            vendas += 1;
            "Compra realizada. Estoque restante: 9\n".into()
        }
        _ => {
            avisar.send(()).unwrap();
            String::new()
        }
    });
    let pasta = Relatos::pasta();
    let opcoes = "--usuarios 1 --ciclos 7 --estoque 10";
    let mut cliente = Processo::iniciar(Relatos::comando(&pasta, endereco, opcoes));
    pedidos.recv_timeout(PRAZO).unwrap();
    cliente.sinal(Signal::INT);
    let relatos = Relatos { pasta, fim: cliente.termino() };
    assert_eq!(relatos.fim.codigo, Some(3), "{:?}", relatos.fim);
    let json = relatos.json();
    let fatos = (&json["resumo"]["interrompida"], &json["consistente"]);
    assert_eq!(fatos, (&true.into(), &false.into()));
}

#[test]
fn sem_servidor_nao_se_escreve_um_veredito() {
    let (_socket, endereco) = porta_fechada();
    let relatos = Relatos::de(endereco, "--usuarios 2 --espera 0s");
    assert_eq!(relatos.fim.codigo, Some(1), "{:?}", relatos.fim);
    for nome in ["relatorio.html", "json.json"] {
        assert!(!relatos.pasta.path().join(nome).exists(), "{nome}");
    }
}
