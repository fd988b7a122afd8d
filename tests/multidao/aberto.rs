//! O laço aberto, de ponta a ponta: o que o laço fechado esconde, e o que se diz de uma taxa que não se alcança.

use super::*;

/// Um servidor certo, que atende um pedido de cada vez e em cada um demora o que `demorar` disser dele, pelo número.
fn servidor_que_demora(demorar: impl Fn(u32) -> Duration + Send + 'static) -> SocketAddr {
    let (mut pedidos, mut estoque) = (0, 1_000_000);
    servidor_que(move |comando| {
        pedidos += 1;
        thread::sleep(demorar(pedidos));
        match comando {
            "CONSULTAR" => format!("Estoque atual: {estoque}\n"),
            _ => {
                estoque -= 1;
                format!("Compra realizada. Estoque restante: {estoque}\n")
            }
        }
    })
}

/// O servidor que para por um segundo, uma vez, no pedido 400.
fn servidor_que_para() -> SocketAddr {
    servidor_que_demora(|pedido| Duration::from_secs(u64::from(pedido == 400)))
}

fn cliente(servidor: SocketAddr, opcoes: &str) -> Termino {
    let linha = format!("--servidor {servidor} {opcoes}");
    Processo::iniciar(comando("cliente", linha.split_whitespace())).termino()
}

/// A mesma parada, medida dos dois modos. No laço aberto, chegam uns 200 pedidos durante ela, de uns 1000: um décimo
/// espera mais de meio segundo. No fechado só a sentem os dez que estavam em curso, de milhares.
#[test]
fn a_parada_de_um_segundo_o_laco_aberto_mostra_e_o_fechado_esconde() {
    let fechado = "--usuarios 10 --ciclos 300 --decisao 0s --escuta 0s \
         --exigir p99(consultar)<500ms --exigir p99(comprar)<500ms";
    let fim = cliente(servidor_que_para(), fechado);
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert!(!fim.saida.contains("chegadas"), "{}", fim.saida);

    let aberto = "--usuarios 10 --taxa 200/s --durante 5s --semente 1 \
         --exigir p99(consultar)>=500ms --exigir p99(comprar)>=500ms";
    let fim = cliente(servidor_que_para(), aberto);
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    let esperaram = conta(&fim, "à espera de usuário");
    assert!(esperaram >= 100, "{esperaram}: {}", fim.saida);
    assert!(fim.saida.contains("do envio"), "{}", fim.saida);
    assert_eq!((conta(&fim, "falhas"), conta(&fim, "sem resposta")), (0, 0), "{fim:?}");
}

/// Cada amostra é de um pedido que se fez, e o pedido começa no envio: é o que o CSV diz, linha a linha.
#[test]
fn cada_chegada_e_um_pedido_que_partiu_depois_da_hora_dele() {
    let pasta = tempfile::tempdir().unwrap();
    let arquivo = |nome: &str| pasta.path().join(nome).display().to_string();
    let [csv, json, html] = ["a.csv", "a.json", "a.html"].map(arquivo);
    let opcoes = format!(
        "--usuarios 10 --rampa 1s:100/s,2s:200/s,1s:50/s --semente 1 --csv {csv} --json {json} --relatorio {html}"
    );
    let fim = cliente(servidor_que_para(), &opcoes);
    assert_eq!(fim.codigo, Some(0), "{fim:?}");

    let mut marcadas = Vec::new();
    for linha in csv::Reader::from_path(csv).unwrap().records() {
        let linha = linha.unwrap();
        let instante = |coluna: usize| linha[coluna].parse::<f64>().ok();
        let (Some(enviada), Some(chegou)) = (instante(3), instante(4)) else { continue };
        let Some(marcada) = instante(8) else { continue };
        assert!(marcada <= enviada && enviada < chegou, "{linha:?}");
        marcadas.push((marcada, enviada));
    }
    let atrasadas = marcadas.iter().filter(|(marcada, enviada)| enviada - marcada > 0.5).count();
    assert!(atrasadas > 20, "as que chegaram na parada partiram depois dela: {atrasadas}");

    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let (resumo, parametros) = (&json["resumo"], &json["parametros"]);
    let chegadas = &resumo["chegadas"];
    assert_eq!(chegadas["marcadas"], marcadas.len());
    assert_eq!(chegadas["enviadas"], marcadas.len());
    assert_eq!(chegadas["enviadas"], conta(&fim, "chegadas"));
    assert!(chegadas["maior_espera_s"].as_f64() > Some(0.5), "{chegadas}");
    assert_eq!(chegadas["fila_cheia_s"], serde_json::Value::Null);
    let amostras = |latencias: &serde_json::Value| {
        let de = |comando: &str| latencias[comando]["amostras"].as_u64().unwrap();
        de("consultar") + de("comprar")
    };
    assert_eq!(amostras(&resumo["latencias_do_envio"]), marcadas.len() as u64);
    // O primeiro CONSULTAR, que descobre o fim de linha, não é de chegada nenhuma.
    assert_eq!(amostras(&resumo["latencias"]), marcadas.len() as u64 + 1);
    let etapa =
        |duracao: f64, taxa: f64| serde_json::json!({ "duracao_s": duracao, "taxa_por_s": taxa });
    let etapas = serde_json::json!([etapa(1.0, 100.0), etapa(2.0, 200.0), etapa(1.0, 50.0)]);
    assert_eq!((&parametros["etapas"], &parametros["ciclos"]), (&etapas, &serde_json::Value::Null));

    let html = fs::read_to_string(html).unwrap();
    let ditas = "100/s por 1s, depois 200/s por 2s, depois 50/s por 1s";
    let da_vazao = format!("marcaram-se {ditas}.");
    for texto in [
        "<h2>As chegadas</h2>",
        "à espera de usuário",
        "do envio",
        "a contar da hora marcada do pedido, e não do envio",
        &da_vazao,
    ] {
        assert!(html.contains(texto), "{texto}");
    }
    // A linha das três etapas, nas duas larguras do desenho: o começo, dois pontos por degrau, e o fim. A volta a zero só
    // se vê se uma resposta chegou depois dela.
    let degraus = |svg: &&str| {
        let linha = svg.split_once("#BC4C00\" stroke-width=\"2\" points=\"");
        linha.map(|(_, pontos)| pontos.split('"').next().unwrap().split_whitespace().count())
    };
    let desenhadas: Vec<usize> = html.split("<polyline").filter_map(|svg| degraus(&svg)).collect();
    assert!([[8, 8], [10, 10]].contains(&desenhadas[..].try_into().unwrap()), "{desenhadas:?}");
    assert!(!html.contains("decidindo"), "no laço aberto ninguém decide");
}

#[test]
fn uma_taxa_que_o_servidor_nao_alcanca_se_diz() {
    let servidor = servidor_que_demora(|_| Duration::from_millis(30));
    let fim = cliente(servidor, "--usuarios 2 --taxa 100/s --durante 1s --semente 1");
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    let dito = "não foi alcançada: a fila não se esvaziou nos últimos ";
    assert!(fim.saida.contains(dito), "{}", fim.saida);
}

/// Um servidor que fecha cada conexão depois de três respostas: as chegadas que o usuário tinha na mão vão a outro, ou a
/// ele mesmo quando volta, e nenhuma se perde.
#[test]
fn quem_cai_volta_e_nenhuma_chegada_se_perde() {
    let porta = TcpListener::bind("127.0.0.1:0").unwrap();
    let servidor = porta.local_addr().unwrap();
    thread::spawn(move || {
        for mut conexao in porta.incoming().flatten() {
            thread::spawn(move || {
                let mut bytes = [0; 1024];
                for _ in 0..3 {
                    let Ok(lidos @ 1..) = conexao.read(&mut bytes) else { return };
                    let resposta = match bytes[..lidos].starts_with(b"CONSULTAR") {
                        true => "Estoque atual: 0\n",
                        false => "ERRO: Produto esgotado\n",
                    };
                    let _ = conexao.write_all(resposta.as_bytes());
                }
            });
        }
    });
    let fim = cliente(servidor, "--usuarios 5 --taxa 50/s --durante 2s --semente 1");
    let (chegadas, falhas) = (conta(&fim, "chegadas"), conta(&fim, "falhas"));
    assert!(fim.saida.contains(&format!(" {chegadas} de {chegadas}\n")), "{}", fim.saida);
    assert!(falhas > chegadas / 6, "{falhas}: {}", fim.saida);
}

#[test]
fn o_andamento_diz_as_chegadas_e_a_fila() {
    let servidor = servidor_que_demora(|_| Duration::ZERO);
    let linha = format!("--servidor {servidor} --usuarios 2 --taxa 50/s --durante 1s");
    let vivo = em_um_terminal(comando("cliente", linha.split_whitespace()));
    assert!(vivo.contains(" chegadas") && vivo.contains(" na fila"), "{vivo:?}");
}
